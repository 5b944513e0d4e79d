//! `zwp_linux_dmabuf_v1`, which the proxy serves itself: buffers that programs draw by a GPU of this
//! domain.
//!
//! A dma-buf of the guest is memory of the guest. It reaches the display domain as a pool's memory
//! does: by its pages where they can be granted, else by a shadow. So what programs are told is not
//! what the display domain's GPU can import, which is another one's memory, but what can be shown
//! that way: one plane, rows after each other (`DRM_FORMAT_MOD_LINEAR`), in the two formats that
//! every `wl_shm` has. The device they are told to draw with is this domain's.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{MemfdFlags, SealFlags};
use wayland_backend::protocol::Interface;
use wayland_client::protocol::__interfaces::WL_BUFFER_INTERFACE;
use wayland_protocols::wp::linux_dmabuf::zv1::client::__interfaces as linux_dmabuf;

use super::app::{App, Fault, display_error};
use super::buffer::{Buffer, Content};
use super::dmabuf_file::DmabufFile;
use super::interfaces::opcode;
use super::layout::Layout;
use super::objects::{AppId, Role};
use super::requests::Request;
use super::wire::Message;

pub(super) use linux_dmabuf::ZWP_LINUX_DMABUF_V1_INTERFACE as INTERFACE;

/// The version that is served.
pub(super) const VERSION: u32 = 5;

/// `DRM_FORMAT_ARGB8888` and `DRM_FORMAT_XRGB8888` (include/uapi/drm/drm_fourcc.h), and what `wl_shm`
/// calls them.
const FORMATS: [(u32, u32); 2] =
    [(u32::from_le_bytes(*b"AR24"), 0), (u32::from_le_bytes(*b"XR24"), 1)];

/// `DRM_FORMAT_MOD_LINEAR`
const LINEAR: u64 = 0;

/// The most planes that any dma-buf has; only the first is of use here.
const MOST_PLANES: u32 = 4;

/// From this version on there are feedback objects in place of events of the global.
const FEEDBACK_SINCE: u32 = 4;
/// From this version on there are `modifier` events.
const MODIFIER_SINCE: u32 = 3;

/// Errors of `zwp_linux_buffer_params_v1`.
mod params_error {
    pub(super) const ALREADY_USED: u32 = 0;
    pub(super) const PLANE_INDEX: u32 = 1;
    pub(super) const PLANE_SET: u32 = 2;
    pub(super) const INCOMPLETE: u32 = 3;
    pub(super) const INVALID_FORMAT: u32 = 4;
    pub(super) const INVALID_DIMENSIONS: u32 = 5;
    pub(super) const OUT_OF_BOUNDS: u32 = 6;
    pub(super) const INVALID_BUFFER: u32 = 7;
}

/// What programs are told of this domain's GPU.
#[derive(Debug)]
pub(super) struct Gpu {
    /// The number of its device.
    device: u64,
    table: OwnedFd,
}

impl Gpu {
    /// The one whose device this is; it need not be a GPU's for programs to be told of it.
    pub(super) fn at(path: &Path) -> io::Result<Gpu> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.file_type().is_char_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no device"));
        }
        Ok(Gpu { device: metadata.rdev(), table: format_table()? })
    }

    /// The first one that programs without privileges can draw with.
    pub(super) fn first() -> Option<Gpu> {
        let nodes = std::fs::read_dir("/dev/dri").ok()?.flatten().map(|node| node.path());
        let is_render_node = |path: &Path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("renderD"))
        };
        let first = nodes.filter(|path| is_render_node(path)).min()?;
        match Gpu::at(&first) {
            Ok(gpu) => Some(gpu),
            Err(error) => {
                tracing::warn!(%error, "no dma-bufs: cannot use {}", first.display());
                None
            }
        }
    }
}

/// Format and modifier of each pair, as `zwp_linux_dmabuf_feedback_v1.format_table` has them.
fn format_table() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("hyper-dmabuf-formats", flags)?;
    let rows = FORMATS.iter().flat_map(|(format, _)| {
        [format.to_ne_bytes(), [0; 4]].concat().into_iter().chain(LINEAR.to_ne_bytes())
    });
    let rows: Vec<u8> = rows.collect();
    rustix::io::write(&file, &rows)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// A `zwp_linux_buffer_params_v1`.
#[derive(Debug, Default)]
pub(super) struct Params {
    first: Option<Plane>,
    /// Which of the others were set, by bits.
    others: u32,
    used: bool,
}

#[derive(Debug)]
struct Plane {
    file: Option<Rc<DmabufFile>>,
    offset: u32,
    stride: u32,
    modifier: u64,
}

/// Why there is no buffer.
enum NoBuffer {
    /// The program broke the protocol.
    Wrong(u32, &'static str),
    /// It did not, and still it cannot be shown.
    Unsuitable(&'static str),
}

impl Params {
    fn layout(&self, width: i32, height: i32, format: u32) -> Result<Layout, NoBuffer> {
        use NoBuffer::{Unsuitable, Wrong};
        let plane = self.first.as_ref();
        let plane = plane.ok_or(Wrong(params_error::INCOMPLETE, "there is no plane 0"))?;
        if width <= 0 || height <= 0 {
            return Err(Wrong(params_error::INVALID_DIMENSIONS, "there are no pixels"));
        }
        let known = FORMATS.iter().find(|(known, _)| *known == format);
        let Some((_, format)) = known else {
            return Err(Wrong(params_error::INVALID_FORMAT, "this format was not offered"));
        };
        if self.others != 0 {
            return Err(Wrong(params_error::INVALID_FORMAT, "this format has one plane"));
        }
        if plane.modifier != LINEAR {
            return Err(Unsuitable("only buffers whose rows follow each other are shown"));
        }
        let Some(file) = &plane.file else { return Err(Unsuitable("plane 0 is no dma-buf")) };
        let (Ok(offset), Ok(stride)) = (i32::try_from(plane.offset), i32::try_from(plane.stride))
        else {
            return Err(Wrong(params_error::OUT_OF_BOUNDS, "the plane ends after its file"));
        };
        if i64::from(stride) < 4 * i64::from(width) {
            return Err(Wrong(params_error::OUT_OF_BOUNDS, "a row is longer than the stride"));
        }
        let layout = Layout { offset, width, height, stride, format: *format };
        let bytes = i64::try_from(file.bytes()).unwrap_or(i64::MAX);
        if !layout.fits(bytes) {
            return Err(Wrong(params_error::OUT_OF_BOUNDS, "the plane ends after its file"));
        }
        Ok(layout)
    }
}

fn event(object: AppId, interface: &Interface, name: &str) -> Message {
    Message::new(object.0, opcode(interface.events, name))
}

impl App {
    /// A program has bound the global.
    pub(super) fn tell_formats(&mut self, global: AppId, version: u32) {
        if version >= FEEDBACK_SINCE {
            return;
        }
        for (format, _) in FORMATS {
            if version >= MODIFIER_SINCE {
                let message = event(global, &INTERFACE, "modifier").uint(format);
                self.tell_app(message.uint((LINEAR >> 32) as u32).uint(LINEAR as u32));
            } else {
                self.tell_app(event(global, &INTERFACE, "format").uint(format));
            }
        }
    }

    /// A request of the global.
    pub(super) fn dmabuf_request(&mut self, request: &Request<'_>) -> Result<(), Fault> {
        let new = AppId(request.uint(0));
        let made = request.message.child_interface;
        match (request.message.name, made) {
            ("create_params", Some(made)) => {
                let role = Role::Params(Box::default());
                self.insert(new, made, request.version, role, false).map(drop)
            }
            ("get_default_feedback" | "get_surface_feedback", Some(made)) => {
                self.insert(new, made, request.version, Role::Feedback, false)?;
                self.tell_feedback(new)
            }
            _ => {
                self.remove_unknown_to_host(request.id);
                Ok(())
            }
        }
    }

    fn tell_feedback(&mut self, id: AppId) -> Result<(), Fault> {
        let interface = &linux_dmabuf::ZWP_LINUX_DMABUF_FEEDBACK_V1_INTERFACE;
        let Some(gpu) = &self.terms.gpu else { return Ok(()) }; // Else there is no global.
        let device = gpu.device.to_ne_bytes();
        let table = gpu.table.as_fd().try_clone_to_owned().map_err(|error| {
            Fault::display(display_error::NO_MEMORY, format!("the proxy is out of files: {error}"))
        })?;
        let rows = FORMATS.len() as u32;
        let message = event(id, interface, "format_table").uint(16 * rows);
        self.app.send(&message.finish(), vec![table]);
        self.tell_app(event(id, interface, "main_device").array(&device));
        self.tell_app(event(id, interface, "tranche_target_device").array(&device));
        self.tell_app(event(id, interface, "tranche_flags").uint(0));
        let indices: Vec<u8> = (0..rows as u16).flat_map(u16::to_ne_bytes).collect();
        self.tell_app(event(id, interface, "tranche_formats").array(&indices));
        self.tell_app(event(id, interface, "tranche_done"));
        self.tell_app(event(id, interface, "done"));
        Ok(())
    }

    /// A request of `zwp_linux_buffer_params_v1`.
    pub(super) fn params_request(&mut self, request: Request<'_>) -> Result<(), Fault> {
        match request.message.name {
            "add" => self.add_plane(request),
            "create" => self.create_dmabuf(&request, None, 0),
            "create_immed" => {
                let buffer = AppId(request.uint(0));
                self.create_dmabuf(&request, Some(buffer), 1)
            }
            _ => {
                self.remove_unknown_to_host(request.id);
                Ok(())
            }
        }
    }

    fn params_mut(&mut self, id: AppId) -> Option<&mut Params> {
        match &mut self.objects.get_mut(id)?.role {
            Role::Params(params) => Some(params),
            _ => None,
        }
    }

    fn add_plane(&mut self, request: Request<'_>) -> Result<(), Fault> {
        let id = request.id;
        let [index, offset, stride, high, low] = [1, 2, 3, 4, 5].map(|at| request.uint(at));
        if self.too_many_files() {
            return Err(self.no_more_files());
        }
        let open_files = Rc::clone(&self.open_files);
        let Some(file) = request.descriptors.into_iter().next() else { return Ok(()) };
        let Some(params) = self.params_mut(id) else { return Ok(()) };
        if params.used {
            let text = "the buffer of these parameters is made already";
            return Err(Fault::new(id, params_error::ALREADY_USED, text));
        }
        if index >= MOST_PLANES {
            let text = format!("a dma-buf has no plane {index}");
            return Err(Fault::new(id, params_error::PLANE_INDEX, text));
        }
        let set = if index == 0 { params.first.is_some() } else { params.others >> index & 1 == 1 };
        if set {
            let text = format!("plane {index} is set already");
            return Err(Fault::new(id, params_error::PLANE_SET, text));
        }
        if index > 0 {
            params.others |= 1 << index;
            return Ok(());
        }
        // What it is made of is told when a buffer is wanted.
        let file = DmabufFile::new(file, open_files).map(Rc::new).ok();
        let modifier = u64::from(high) << 32 | u64::from(low);
        params.first = Some(Plane { file, offset, stride, modifier });
        Ok(())
    }

    /// Makes the buffer, as the object that the program has named or as a new one.
    fn create_dmabuf(
        &mut self,
        request: &Request<'_>,
        named: Option<AppId>,
        first: usize,
    ) -> Result<(), Fault> {
        let (id, interface) = (request.id, request.interface);
        let [width, height] = [first, first + 1].map(|at| request.int(at));
        let [format, flags] = [first + 2, first + 3].map(|at| request.uint(at));
        let Some(params) = self.params_mut(id) else { return Ok(()) };
        if std::mem::replace(&mut params.used, true) {
            let text = "the buffer of these parameters is made already";
            return Err(Fault::new(id, params_error::ALREADY_USED, text));
        }
        let layout = params.layout(width, height, format).and_then(|layout| {
            if flags == 0 { Ok(layout) } else { Err(NoBuffer::Unsuitable("flags are not served")) }
        });
        let file = params.first.take().and_then(|plane| plane.file);
        let (layout, file) = match (layout, file) {
            (Ok(layout), Some(file)) => (layout, file),
            (Err(NoBuffer::Wrong(code, text)), _) => return Err(Fault::new(id, code, text)),
            (Err(NoBuffer::Unsuitable(text)), _) if named.is_some() => {
                return Err(Fault::new(id, params_error::INVALID_BUFFER, text));
            }
            (Err(NoBuffer::Unsuitable(text)), _) => {
                self.trace.note(|| format!("a dma-buf is not shown: {text}"));
                self.tell_app(event(id, interface, "failed"));
                return Ok(());
            }
            (Ok(_), None) => return Ok(()), // Its layout was checked against its file.
        };
        let role = Role::Buffer(Box::new(Buffer::new(Content::Dmabuf(file), layout)));
        match named {
            Some(buffer) => self.insert(buffer, &WL_BUFFER_INTERFACE, 1, role, false).map(drop),
            None => {
                let made = self.objects.insert_own(&WL_BUFFER_INTERFACE, 1, role);
                let buffer = made.map_err(|_| {
                    let text = "too many objects for one program";
                    Fault::display(display_error::NO_MEMORY, text)
                })?;
                self.tell_app(event(id, interface, "created").uint(buffer.0));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_table_has_a_row_of_sixteen_bytes_for_each_format() {
        let gpu = Gpu::at(Path::new("/dev/null")).unwrap();
        let mut rows = [0; 64];
        let bytes = rustix::io::pread(&gpu.table, &mut rows, 0).unwrap();
        assert_eq!(bytes, 32);
        assert_eq!(&rows[..16], b"AR24\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&rows[16..32], b"XR24\0\0\0\0\0\0\0\0\0\0\0\0");
        assert!(rustix::io::pwrite(&gpu.table, &[1], 0).is_err(), "programs cannot change it");
    }

    #[test]
    fn what_is_no_device_is_refused() {
        assert!(Gpu::at(Path::new("/")).is_err());
    }
}
