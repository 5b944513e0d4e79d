//! Wayland's wire format: messages taken apart by the tables of their protocols, and put together.
//!
//! A forwarder has to see every message, those included that a Wayland library answers by itself:
//! `wl_display.sync` means "when everything before this is done", and only the host knows when that
//! is. That is why both halves are made here, of the tables of `wayland-backend`, and not of its
//! server and client, which keep `sync`, `get_registry` and `delete_id` to themselves.

use wayland_backend::protocol::{AllowNull, ArgumentType};

/// Bytes of a message before its arguments.
pub(super) const HEADER: usize = 8;

/// What a message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) object: u32,
    pub(super) opcode: u16,
    /// Bytes of the whole message.
    pub(super) size: u16,
}

/// A message is not what its signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Header {
    /// The header at the beginning of these bytes; `None` if it is not all there yet.
    pub(super) fn read(bytes: &[u8]) -> Option<Header> {
        let (object, rest) = bytes.split_first_chunk::<4>()?;
        let word = u32::from_ne_bytes(*rest.first_chunk::<4>()?);
        let (opcode, size) = (word as u16, (word >> 16) as u16);
        Some(Header { object: u32::from_ne_bytes(*object), opcode, size })
    }

    /// Whether a message can have this size.
    pub(super) fn is_sound(self) -> bool {
        usize::from(self.size) >= HEADER && self.size.is_multiple_of(4)
    }
}

/// One argument, and where in the payload it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Field<'a> {
    pub(super) at: usize,
    pub(super) value: Value<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Int(i32),
    Uint(u32),
    Fixed(i32),
    /// Without its NUL.
    String(Option<&'a [u8]>),
    /// 0 is none, which only comes where the signature allows it.
    Object(u32),
    NewId(u32),
    Array(&'a [u8]),
    /// Comes beside the bytes.
    Descriptor,
}

/// Takes a payload apart.
pub(super) fn parse<'a>(
    signature: &[ArgumentType],
    payload: &'a [u8],
) -> Result<Vec<Field<'a>>, Malformed> {
    let mut rest = payload;
    let mut fields = Vec::with_capacity(signature.len());
    for argument in signature {
        let at = payload.len() - rest.len();
        let value = match argument {
            ArgumentType::Int => Value::Int(word(&mut rest)? as i32),
            ArgumentType::Uint => Value::Uint(word(&mut rest)?),
            ArgumentType::Fixed => Value::Fixed(word(&mut rest)? as i32),
            ArgumentType::Str(null) => match (counted(&mut rest)?, null) {
                ([], AllowNull::Yes) => Value::String(None),
                ([text @ .., 0], _) if !text.contains(&0) => Value::String(Some(text)),
                _ => return Err(Malformed),
            },
            ArgumentType::Object(null) => match (word(&mut rest)?, null) {
                (0, AllowNull::No) => return Err(Malformed),
                (object, _) => Value::Object(object),
            },
            ArgumentType::NewId => Value::NewId(word(&mut rest)?),
            ArgumentType::Array => Value::Array(counted(&mut rest)?),
            ArgumentType::Fd => Value::Descriptor,
        };
        fields.push(Field { at, value });
    }
    if rest.is_empty() { Ok(fields) } else { Err(Malformed) }
}

fn word(rest: &mut &[u8]) -> Result<u32, Malformed> {
    let (word, after) = rest.split_first_chunk::<4>().ok_or(Malformed)?;
    *rest = after;
    Ok(u32::from_ne_bytes(*word))
}

/// A count of bytes, the bytes, and what fills them up to whole words.
fn counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let count = word(rest)? as usize;
    // Not more than 64 KiB can be there, so this cannot overflow once it is checked.
    let bytes = rest.get(..count).ok_or(Malformed)?;
    *rest = rest.get(count.next_multiple_of(4)..).ok_or(Malformed)?;
    Ok(bytes)
}

/// A message that is being put together.
#[derive(Debug)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new(object: u32, opcode: u16) -> Message {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&object.to_ne_bytes());
        bytes.extend_from_slice(&u32::from(opcode).to_ne_bytes());
        Message(bytes)
    }

    /// A message of this payload, whose objects are still to be replaced.
    pub(super) fn with_payload(object: u32, opcode: u16, payload: &[u8]) -> Message {
        let mut message = Message::new(object, opcode);
        message.0.extend_from_slice(payload);
        message
    }

    pub(super) fn uint(mut self, value: u32) -> Message {
        self.0.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn int(self, value: i32) -> Message {
        self.uint(value as u32)
    }

    pub(super) fn string(self, text: &str) -> Message {
        // Nobody sends more: errors are shortened where they are made.
        let mut this = self.uint(text.len() as u32 + 1);
        this.0.extend_from_slice(text.as_bytes());
        this.0.push(0);
        this.fill()
    }

    pub(super) fn array(self, bytes: &[u8]) -> Message {
        let mut this = self.uint(bytes.len() as u32);
        this.0.extend_from_slice(bytes);
        this.fill()
    }

    fn fill(mut self) -> Message {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Replaces a word of the payload.
    pub(super) fn replace(&mut self, at: usize, word: u32) {
        if let Some(place) = self.0.get_mut(HEADER + at..HEADER + at + 4) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
    }

    /// The bytes, with their number in the header.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let size = (self.0.len() as u32) << 16;
        let opcode = u32::from_ne_bytes([self.0[4], self.0[5], self.0[6], self.0[7]]) & 0xffff;
        self.0[4..HEADER].copy_from_slice(&(size | opcode).to_ne_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: &[ArgumentType] = &[
        ArgumentType::Int,
        ArgumentType::Str(AllowNull::No),
        ArgumentType::Object(AllowNull::Yes),
        ArgumentType::Fd,
        ArgumentType::Array,
        ArgumentType::NewId,
        ArgumentType::Str(AllowNull::Yes),
    ];

    fn message() -> Vec<u8> {
        let message = Message::new(7, 3).int(-2).string("abc").uint(0).array(&[1, 2, 3, 4, 5]);
        message.uint(9).uint(0).finish()
    }

    #[test]
    fn what_is_put_together_is_taken_apart() {
        let bytes = message();
        let header = Header::read(&bytes).unwrap();
        assert_eq!(header, Header { object: 7, opcode: 3, size: bytes.len() as u16 });
        assert!(header.is_sound());
        let fields = parse(ALL, &bytes[HEADER..]).unwrap();
        let values: Vec<Value<'_>> = fields.iter().map(|field| field.value).collect();
        let text = Value::String(Some(b"abc"));
        let array = Value::Array(&[1, 2, 3, 4, 5]);
        let (object, new) = (Value::Object(0), Value::NewId(9));
        let none = Value::String(None);
        assert_eq!(values, [Value::Int(-2), text, object, Value::Descriptor, array, new, none]);
    }

    #[test]
    fn a_message_that_lies_is_malformed() {
        let short = Message::new(1, 0).uint(9).finish();
        for signature in [
            ArgumentType::Array,
            ArgumentType::Str(AllowNull::Yes),
            ArgumentType::Fd, // Too much payload for it.
        ] {
            assert_eq!(parse(&[signature], &short[HEADER..]), Err(Malformed));
        }
        let null = Message::new(1, 0).uint(0).finish();
        for signature in [ArgumentType::Str(AllowNull::No), ArgumentType::Object(AllowNull::No)] {
            assert_eq!(parse(&[signature], &null[HEADER..]), Err(Malformed));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_apart_or_refused(
            cut in 0usize..64,
            change in prop::collection::vec((0usize..64, any::<u8>()), 0..4),
        ) {
            let mut bytes = message();
            for (at, value) in change {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            bytes.truncate(cut.max(HEADER));
            let _ = parse(ALL, &bytes[HEADER..]);
        }
    }
}
