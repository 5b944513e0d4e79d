use proptest::prelude::*;

use super::*;
use crate::link::decoder::Decoder;
use crate::link::frame::{Frame, FrameError, HEADER, Hello, MAX_PAYLOAD, Payload, PipeSide};
use crate::link::number::PipeId;

/// One of every kind.
pub(super) fn every_frame(bytes: &[u8]) -> Vec<Frame<'_>> {
    let stream = StreamId::new(1).unwrap();
    let pipe = PipeId::new(1).unwrap();
    let payload = Payload::new(bytes).unwrap();
    let reason = Reason::new(ReasonCode::Limit, "fünf");
    let credit = std::num::NonZeroU32::new(5).unwrap();
    vec![
        Frame::Hello(Hello { versions: 1..=1, limits: Limits::default().try_into().unwrap() }),
        Frame::Welcome { version: 1, guest: domain(GUEST), display: DomainId::DISPLAY },
        Frame::Goodbye(reason.clone()),
        Frame::AskTime,
        Frame::Time { there: There::from_nanoseconds(-5) },
        Frame::Open { stream },
        Frame::Close { stream, reason },
        Frame::Data { stream, payload },
        Frame::Credit { stream, bytes: credit },
        Frame::File { stream, size: 3 },
        Frame::Content { stream, payload },
        Frame::Pipe { stream, pipe, side: PipeSide::Write },
        Frame::PipeData { pipe, payload },
        Frame::PipeCredit { pipe, bytes: credit },
        Frame::PipeEnd { pipe },
    ]
}

/// Feeds the bytes in pieces, and counts the frames.
fn decode(decoder: &mut Decoder, mut bytes: &[u8], piece: usize) -> Result<usize, FrameError> {
    let mut frames = 0;
    while !bytes.is_empty() {
        let space = decoder.space();
        assert!(!space.is_empty());
        let count = piece.min(space.len()).min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        decoder.filled(count);
        bytes = &bytes[count..];
        while decoder.next_frame()?.is_some() {
            frames += 1;
        }
    }
    Ok(frames)
}

#[test]
fn every_kind_comes_out_as_it_went_in() {
    let payload = pattern(MAX_PAYLOAD);
    for frame in every_frame(&payload).into_iter().chain(every_frame(b"x")) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let mut decoder = Decoder::new();
        let (last, first) = bytes.split_last().unwrap();
        assert_eq!(decode(&mut decoder, first, 1000), Ok(0), "{}", frame.name());
        decoder.space()[0] = *last;
        decoder.filled(1);
        assert_eq!(decoder.next_frame(), Ok(Some(frame)));
        assert_eq!(decoder.buffered(), 0);
    }
}

#[test]
fn a_bad_header_is_refused_before_its_payload_has_come() {
    for length in [MAX_PAYLOAD as u32 + 1, u32::MAX] {
        for frame in every_frame(b"x") {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            let error = decode(&mut Decoder::new(), &bytes[..HEADER], HEADER);
            assert!(matches!(error, Err(FrameError::Length { .. })), "{error:?}");
        }
    }
}

#[test]
fn a_wrong_length_subject_or_reserved_field_is_refused_in_every_kind() {
    for frame in every_frame(b"x") {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let mut bad = bytes.clone();
        bad[6] = 1;
        let error = decode(&mut Decoder::new(), &bad, 99);
        assert_eq!(error, Err(FrameError::Reserved(1)), "{}", frame.name());
        let mut bad = bytes.clone();
        bad[8] ^= 1;
        let error = decode(&mut Decoder::new(), &bad, 99);
        assert!(matches!(error, Err(FrameError::Subject { .. })), "{} {error:?}", frame.name());
        if !matches!(frame, Frame::Data { .. } | Frame::Content { .. } | Frame::PipeData { .. }) {
            let mut bad = bytes.clone();
            let length = if matches!(frame, Frame::Goodbye(_) | Frame::Close { .. }) {
                1
            } else {
                (bytes.len() - HEADER) as u32 + 1
            };
            bad[..4].copy_from_slice(&length.to_le_bytes());
            let error = decode(&mut Decoder::new(), &bad, 99);
            assert!(matches!(error, Err(FrameError::Length { .. })), "{} {error:?}", frame.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic_and_never_grow_the_buffer(
        bytes in proptest::collection::vec(any::<u8>(), 0..4096),
        piece in 1usize..5000,
    ) {
        let mut decoder = Decoder::new();
        let _ = decode(&mut decoder, &bytes, piece);
        prop_assert!(decoder.buffered() <= Decoder::CAPACITY);
    }

    #[test]
    fn mutated_frames_never_panic(
        picks in proptest::collection::vec(0usize..15, 1..20),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        piece in 1usize..5000,
    ) {
        let mut bytes = Vec::new();
        for pick in picks {
            every_frame(b"some bytes")[pick].encode(&mut bytes);
        }
        for (index, value) in mutations {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        let _ = decode(&mut Decoder::new(), &bytes, piece);
    }

    #[test]
    fn reasons_are_printable_and_bounded(text in any::<String>()) {
        let reason = Reason::new(ReasonCode::Finished, text);
        prop_assert!(reason.text().len() <= Reason::MAX_TEXT);
        prop_assert!(!reason.text().chars().any(char::is_control));
    }
}
