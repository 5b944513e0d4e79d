//! vchan: a byte stream each way between two domains, as Xen's libxenvchan speaks it.
//!
//! The *server* grants one page with the indices of both rings, and the pages of the rings; the
//! *client* maps them. An event channel tells that something changed, and only when the other side
//! asked to be told. Here guests are servers, so that the display domain grants nothing to anybody.
//!
//! | file | what |
//! |---|---|
//! | `ring` | the protocol of one direction: indices, and when to raise an event |
//! | `layout` | where all that is in the shared page |
//! | `channel` | both ends |

mod channel;
mod layout;
mod ring;

pub(super) use channel::MOST_PAGES;
pub use channel::{ConnectError, Offer, OfferError, Vchan};
pub use layout::BadLayout;
