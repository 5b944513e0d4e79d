//! The requests of programs that speak `hyper_dmabuf_v1`: see [`native`](super::native).

use super::app::{App, Fault, display_error};
use super::causes::with_causes;
use super::native::NotExported;
use super::objects::Role;
use super::requests::Request;
use super::sharing::Sharing;
use crate::id::HyperDmabufId;

/// Errors of `hyper_dmabuf_manager_v1`.
mod manager_error {
    pub(super) const UNSUPPORTED: u32 = 0;
    pub(super) const INVALID_SIZE: u32 = 4;
    pub(super) const INVALID_DIRECTORY: u32 = 6;
    pub(super) const INVALID_MEMORY: u32 = 8;
    pub(super) const NO_MEMORY: u32 = 9;
}

impl App {
    /// A request of the manager, or of a buffer that the program exported.
    pub(super) fn native_request(
        &mut self,
        request: Request<'_>,
        sharing: &mut Sharing,
    ) -> Result<(), Fault> {
        match request.message.name {
            "attach_memory" => {
                let Some(file) = request.descriptors.into_iter().next() else { return Ok(()) };
                let (own, display) = sharing.domains();
                let attached = self.natives.attach(file, own, display);
                attached.map_err(|error| {
                    Fault::new(request.id, manager_error::INVALID_MEMORY, error.to_string())
                })
            }
            "export" => self.native_export(request, sharing),
            "import" => {
                let theirs = HyperDmabufId::from_words([1, 2, 3, 4].map(|at| request.uint(at)));
                let known = self.natives.find(theirs).unwrap_or(theirs);
                let replaced = (1..).zip(known.to_words()).collect::<Vec<_>>();
                self.forward_replaced(request, &replaced, Role::Plain, sharing)
            }
            "unexport" => {
                if let Some(Role::Native(id)) = self.objects.get(request.id).map(|o| &o.role) {
                    sharing.unexport(id);
                }
                self.forward(request, sharing)
            }
            _ => self.forward(request, sharing),
        }
    }

    fn native_export(&mut self, request: Request<'_>, sharing: &mut Sharing) -> Result<(), Fault> {
        let manager = request.id;
        let theirs = HyperDmabufId::from_words([1, 2, 3, 4].map(|at| request.uint(at)));
        let [pages, root, offset, length, flags] = [5, 6, 7, 8, 9].map(|at| request.uint(at));
        if flags != 0 {
            let text = "buffers behind the proxy are shared for reading only";
            return Err(Fault::new(manager, manager_error::UNSUPPORTED, text));
        }
        let bytes = u64::from(offset) + u64::from(length);
        let mapped = self.natives.pages(root, pages, bytes).map_err(|error| {
            let code = match error {
                NotExported::NoMemory => manager_error::NO_MEMORY,
                NotExported::Size => manager_error::INVALID_SIZE,
                NotExported::Directory(_) | NotExported::Map(_) => manager_error::INVALID_DIRECTORY,
                NotExported::Scattered => manager_error::UNSUPPORTED,
            };
            Fault::new(manager, code, error.to_string())
        })?;
        let Some(file) = self.natives.file() else { return Ok(()) }; // There are pages of it.
        let held = self.held;
        let offer = sharing
            .export_file(file, mapped.first, bytes as usize, held)
            .map_err(|error| Fault::display(display_error::NO_MEMORY, with_causes(&error)))?;
        self.natives.exported(offer.id, theirs, mapped);
        self.statistics.granted += 1;
        self.held.add(offer.pages);
        self.trace.note(|| format!("{pages} pages of {theirs} are granted as {}", offer.id));
        let words = offer.id.to_words();
        let replaced: Vec<(usize, u32)> = (1..).zip(words).chain([(6, offer.root.0)]).collect();
        self.forward_replaced(request, &replaced, Role::Native(offer.id), sharing)
    }
}
