//! Why a buffer was not imported, and whose fault it is.

use crate::domain::DomainId;
use crate::grant::MapError;
use crate::grant::directory::ReadError;
use crate::id::HyperDmabufId;

/// Why a buffer was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The ID has the eight bits of another domain.
    #[error("ID {id} is not one of domain {domain}")]
    ForeignDomain {
        /// The ID.
        id: HyperDmabufId,
        /// Who offered it.
        domain: DomainId,
    },
    /// The domain has a buffer of this ID that is exported, or not released.
    #[error("ID {0} is in use: wait for released before using it again")]
    Duplicate(HyperDmabufId),
    /// No buffer is known by this ID.
    #[error("there is no buffer {0}: its handle or its key is wrong")]
    Unknown(HyperDmabufId),
    /// There was one, but the exporter took it back.
    #[error("buffer {0} is not exported any more")]
    Unexported(HyperDmabufId),
    /// Pages, offset and length contradict each other.
    #[error(
        "{length} bytes from offset {offset} do not lie in {pages} pages: offset must be below \
         4096, length not 0, and pages just enough"
    )]
    Size {
        /// Pages offered.
        pages: u32,
        /// Bytes before the buffer.
        offset: u32,
        /// Bytes of it.
        length: u32,
    },
    /// One buffer is larger than is allowed.
    #[error("{pages} pages are more than the {limit} that one buffer may have")]
    TooManyPages {
        /// Pages offered.
        pages: u32,
        /// How many there may be.
        limit: u32,
    },
    /// There is too much metadata.
    #[error("{bytes} bytes of metadata are more than {limit}")]
    Metadata {
        /// Bytes offered.
        bytes: usize,
        /// How many there may be.
        limit: u32,
    },
    /// The domain has all the buffers or pages that it may have.
    #[error("domain {domain} may share {limit} {what} at a time: raise its limit or use fewer")]
    Limit {
        /// The domain.
        domain: DomainId,
        /// Which limit.
        what: &'static str,
        /// The limit.
        limit: u32,
    },
    /// The directory cannot be followed.
    #[error("{}", chain(.0))]
    Directory(#[source] ReadError),
    /// A page of the buffer cannot be mapped.
    #[error("the buffer cannot be mapped: {0}")]
    Map(#[source] MapError),
}

impl ImportError {
    /// Whether the exporter did what it must not, rather than asked for more than there is or lost
    /// a race.
    pub fn is_exporters_fault(&self) -> bool {
        match self {
            ImportError::ForeignDomain { .. }
            | ImportError::Duplicate(_)
            | ImportError::Unknown(_)
            | ImportError::Size { .. }
            | ImportError::TooManyPages { .. }
            | ImportError::Metadata { .. } => true,
            ImportError::Directory(ReadError::Root(cause) | ReadError::Tables(cause))
            | ImportError::Map(cause) => cause.is_peers_fault(),
            ImportError::Directory(ReadError::TooLarge { .. }) => true,
            ImportError::Unexported(_) | ImportError::Limit { .. } => false,
        }
    }
}

/// An error with its causes, in one line: it goes to another domain as a string.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
