//! The link in a calloop event loop.

use std::io;

use calloop::{EventSource, Poll, PostAction, Readiness, Token, TokenFactory};

use super::LinkEvent;
use super::connection::Link;
use super::transport::Transport;

/// The callback gets the event and the link, which it may use; the loop lets go of a closed link
/// after [`LinkEvent::Closed`].
impl<T: Transport> EventSource for Link<T> {
    type Event = LinkEvent;
    type Metadata = Link<T>;
    type Ret = ();
    type Error = io::Error;

    fn process_events<F>(
        &mut self,
        _: Readiness,
        _: Token,
        mut callback: F,
    ) -> Result<PostAction, io::Error>
    where
        F: FnMut(LinkEvent, &mut Link<T>),
    {
        self.dispatch()?;
        while let Some(event) = self.next_event() {
            callback(event, self);
        }
        Ok(if self.is_closed() { PostAction::Remove } else { PostAction::Continue })
    }

    fn register(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.source.register(poll, tokens)
    }

    fn reregister(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.source.reregister(poll, tokens)
    }

    fn unregister(&mut self, poll: &mut Poll) -> calloop::Result<()> {
        self.source.unregister(poll)
    }
}
