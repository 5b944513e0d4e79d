//! A whole link against a peer that says anything.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::link::decoder::Decoder;
use crate::link::frame::{Frame, Hello, Payload, PipeSide};
use crate::link::limits::{OUTGOING_TARGET, TURN};
use crate::link::number::PipeId;

const LIMITS: Limits = Limits {
    streams: 3,
    stream_credit: MIN_STREAM_CREDIT,
    file_content: 4096,
    pipes: 3,
    pipe_credit: 4096,
    waiting_descriptors: 8,
    waiting_content: 8192,
};

/// What a link with these limits may hold: the buffers of the transport, and all credit.
const MOST_HELD: usize = Decoder::CAPACITY
    + OUTGOING_TARGET
    + 2 * TURN
    + (LIMITS.streams * LIMITS.stream_credit + 2 * LIMITS.pipes * LIMITS.pipe_credit) as usize
    // Spent bytes of a message that is partly delivered.
    + LIMITS.streams as usize * (1 << 17);

/// Frames about few numbers, so that they often meet.
pub(super) fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let stream = (1u32..5).prop_map(|number| StreamId::new(number).unwrap());
    let pipe = prop_oneof![1u32..4, (1u32 << 31 | 1)..(1u32 << 31 | 3)]
        .prop_map(|number| PipeId::new(number).unwrap());
    (0u8..14, stream, pipe, any::<bool>(), 1u32..3000).prop_map(
        |(kind, stream, pipe, read, number)| {
            let bytes = pattern(number as usize);
            let payload = Payload::new(&bytes).unwrap();
            let credit = NonZeroU32::new(number).unwrap();
            let reason = Reason::new(ReasonCode::Finished, "random");
            let side = if read { PipeSide::Read } else { PipeSide::Write };
            let frame = match kind {
                0 | 1 => Frame::Open { stream },
                2 => Frame::Close { stream, reason },
                3 | 4 => Frame::Data { stream, payload },
                5 => Frame::Credit { stream, bytes: credit },
                6 => Frame::File { stream, size: number },
                7 => Frame::Content { stream, payload },
                8 => Frame::Pipe { stream, pipe, side },
                9 => Frame::PipeData { pipe, payload },
                11 => Frame::AskTime,
                12 => Frame::Time { there: There::from_nanoseconds(number.into()) },
                10 => Frame::PipeCredit { pipe, bytes: credit },
                _ => Frame::PipeEnd { pipe },
            };
            let mut out = Vec::new();
            frame.encode(&mut out);
            out
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Say(Vec<u8>),
    Mutate(prop::sample::Index, u8),
    Garbage(Vec<u8>),
    CompositorSays(Vec<u8>),
    CompositorReads,
    CompositorHangsUp,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => any_frame().prop_map(Step::Say),
        1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(i, v)| Step::Mutate(i, v)),
        1 => proptest::collection::vec(any::<u8>(), 1..200).prop_map(Step::Garbage),
        3 => proptest::collection::vec(any::<u8>(), 1..200).prop_map(Step::CompositorSays),
        3 => Just(Step::CompositorReads),
        1 => Just(Step::CompositorHangsUp),
    ]
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (end, peer) = UnixStream::pair().unwrap();
    peer.set_nonblocking(true).unwrap();
    let mut link = Link::new(end, display_role(), LIMITS).unwrap();
    let mut hello = Vec::new();
    Frame::Hello(Hello { versions: VERSIONS, limits: LIMITS.try_into().unwrap() })
        .encode(&mut hello);
    push(&peer, &hello);
    let mut bytes = Vec::new();
    let mut sockets = Vec::new();
    let mut closed = false;
    for step in steps {
        match step {
            Step::Say(frame) => bytes.extend(frame),
            Step::Mutate(index, value) if !bytes.is_empty() => {
                let index = index.index(bytes.len());
                bytes[index] = value;
            }
            Step::Mutate(..) => {}
            Step::Garbage(garbage) => bytes.extend(garbage),
            Step::CompositorSays(said) => {
                if let Some(mut socket) = sockets.last() {
                    let _ = Write::write(&mut socket, &said);
                }
            }
            Step::CompositorReads => {
                if let Some(mut socket) = sockets.last() {
                    let _ = Read::read(&mut socket, &mut [0; 1 << 16]);
                }
            }
            Step::CompositorHangsUp => {
                sockets.pop();
            }
        }
        if bytes.len() > 1000 {
            let sent = if closed { bytes.len() } else { push_or_drop(&peer, &bytes) };
            bytes.drain(..sent);
        }
        let mut rounds = 0;
        while is_ready(&link) {
            rounds += 1;
            prop_assert!(rounds < 1000, "the link never rests");
            link.dispatch().unwrap();
            while let Some(event) = link.next_event() {
                match event {
                    LinkEvent::Opened { socket, .. } => {
                        socket.set_nonblocking(true).unwrap();
                        sockets.push(socket);
                    }
                    LinkEvent::Closed { .. } => closed = true,
                    _ => {}
                }
            }
        }
        let (held, streams, pipes) = link.held();
        prop_assert!(held <= MOST_HELD, "{held} bytes");
        prop_assert!(streams <= LIMITS.streams as usize && pipes <= 2 * LIMITS.pipes as usize);
        let _ = Read::read(&mut &peer, &mut [0; 1 << 12]);
    }
    Ok(())
}

fn push_or_drop(mut peer: &UnixStream, bytes: &[u8]) -> usize {
    peer.write(bytes).unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_said_to_a_link_leaves_it_sound(
        steps in proptest::collection::vec(any_step(), 1..300),
    ) {
        run(steps)?;
    }
}
