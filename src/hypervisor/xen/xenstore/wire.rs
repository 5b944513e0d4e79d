//! Messages of xenstore (`xs_wire.h`): a header of four words, then up to 4096 bytes.

/// Bytes of a header: kind, request, transaction, length of what follows.
pub const HEADER: usize = 16;

/// The most bytes after a header (`XENSTORE_PAYLOAD_MAX`).
pub const LONGEST_PAYLOAD: usize = 4096;

/// What a message asks or says (`enum xsd_sockmsg_type`); those that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Kind {
    /// The names below a node.
    Directory = 1,
    /// The value of a node.
    Read = 2,
    /// Be told what happens to a node and those below it.
    Watch = 4,
    /// Be told no more.
    Unwatch = 5,
    /// Begin a transaction.
    TransactionStart = 6,
    /// End it: "T" or "F".
    TransactionEnd = 7,
    /// Set a node's value, and make the node.
    Write = 11,
    /// Make a node.
    Mkdir = 12,
    /// Remove a node and those below it.
    Remove = 13,
    /// Say who may do what with a node.
    SetPermissions = 14,
    /// Something happened to a watched node.
    WatchEvent = 15,
    /// The request failed.
    Error = 16,
    /// Whether a domain is known: "T" or "F".
    IsDomainIntroduced = 17,
}

impl Kind {
    const ALL: [Kind; 13] = [
        Kind::Directory,
        Kind::Read,
        Kind::Watch,
        Kind::Unwatch,
        Kind::TransactionStart,
        Kind::TransactionEnd,
        Kind::Write,
        Kind::Mkdir,
        Kind::Remove,
        Kind::SetPermissions,
        Kind::WatchEvent,
        Kind::Error,
        Kind::IsDomainIntroduced,
    ];

    fn from_number(number: u32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// Which request it is, or answers.
    pub request: u32,
    /// Which transaction it is in; 0 for none.
    pub transaction: u32,
    /// The rest.
    pub payload: Vec<u8>,
}

/// Why bytes are no messages. Nothing after them can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No such kind.
    #[error("xenstore sent a message of the unknown kind {0}")]
    Kind(u32),
    /// Longer than any may be.
    #[error("a message of xenstore is to have {0} bytes, more than {LONGEST_PAYLOAD}")]
    TooLong(usize),
}

impl Message {
    /// Adds the message to `out`.
    ///
    /// # Errors
    /// The payload is too long; then nothing is added.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        if self.payload.len() > LONGEST_PAYLOAD {
            return Err(WireError::TooLong(self.payload.len()));
        }
        let length = self.payload.len() as u32;
        for word in [self.kind as u32, self.request, self.transaction, length] {
            out.extend(word.to_ne_bytes());
        }
        out.extend(&self.payload);
        Ok(())
    }
}

/// Finds the messages in a stream of bytes. It holds less than one message and what was pushed.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// The next whole message, if it has come.
    ///
    /// # Errors
    /// What came is no message.
    pub fn next_message(&mut self) -> Result<Option<Message>, WireError> {
        let Some((header, rest)) = self.bytes.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let word = |at: usize| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let kind = Kind::from_number(word(0)).ok_or(WireError::Kind(word(0)))?;
        let length = word(12) as usize;
        if length > LONGEST_PAYLOAD {
            return Err(WireError::TooLong(length));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let message =
            Message { kind, request: word(4), transaction: word(8), payload: payload.to_vec() };
        self.bytes.drain(..HEADER + length);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn messages() -> impl Strategy<Value = Vec<Message>> {
        let kind = prop::sample::select(&Kind::ALL[..]);
        let payload = prop::collection::vec(any::<u8>(), 0..=200);
        let message = (kind, any::<u32>(), any::<u32>(), payload).prop_map(
            |(kind, request, transaction, payload)| Message { kind, request, transaction, payload },
        );
        prop::collection::vec(message, 0..8)
    }

    /// All that comes out when `bytes` come in pieces of these sizes.
    fn decoded(bytes: &[u8], pieces: &[usize]) -> Result<Vec<Message>, WireError> {
        let (mut decoder, mut found, mut rest) = (Decoder::default(), Vec::new(), bytes);
        let mut sizes = pieces.iter().copied().chain(std::iter::repeat(usize::MAX));
        while !rest.is_empty() {
            let size = sizes.next().unwrap_or(usize::MAX).min(rest.len());
            decoder.push(&rest[..size]);
            rest = &rest[size..];
            while let Some(message) = decoder.next_message()? {
                found.push(message);
            }
            assert!(decoder.bytes.len() < HEADER + LONGEST_PAYLOAD);
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_however_it_comes(
            messages in messages(),
            pieces in prop::collection::vec(1usize..50, 0..20),
        ) {
            let mut bytes = Vec::new();
            for message in &messages {
                message.encode(&mut bytes).unwrap();
            }
            prop_assert_eq!(decoded(&bytes, &pieces), Ok(messages));
        }

        #[test]
        fn any_bytes_are_messages_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..3 * HEADER),
            kind in 0u32..20,
            length in 0u32..5000,
        ) {
            let _ = decoded(&bytes, &[]);
            let mut header = Vec::new();
            for word in [kind, 1, 0, length] {
                header.extend(word.to_ne_bytes());
            }
            header.extend(&bytes);
            let _ = decoded(&header, &[]);
        }
    }

    #[test]
    fn too_long_messages_are_neither_sent_nor_awaited() {
        let payload = vec![0; LONGEST_PAYLOAD + 1];
        let message = Message { kind: Kind::Write, request: 1, transaction: 0, payload };
        let mut out = Vec::new();
        assert_eq!(message.encode(&mut out), Err(WireError::TooLong(LONGEST_PAYLOAD + 1)));
        assert!(out.is_empty());
        let mut header = Vec::new();
        for word in [Kind::Read as u32, 1, 0, u32::MAX] {
            header.extend(word.to_ne_bytes());
        }
        assert_eq!(decoded(&header, &[]), Err(WireError::TooLong(u32::MAX as usize)));
    }
}
