//! Two honest ends, apps that do anything, and now and then a bad frame in between.

use std::io::pipe;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rustix::fs::{MemfdFlags, OFlags, fcntl_getfl, fcntl_setfl, memfd_create};

use super::*;
use crate::link::decoder::Decoder;
use crate::link::limits::{OUTGOING_TARGET, TURN};

const LIMITS: Limits = Limits {
    streams: 3,
    stream_credit: MIN_STREAM_CREDIT,
    file_content: 100_000,
    pipes: 4,
    pipe_credit: 4096,
    waiting_descriptors: 1000,
    waiting_content: 1 << 24,
};

/// What one link with these limits may hold: the buffers of the transport, and all credit; a
/// message that is partly delivered still has its first bytes.
const MOST_HELD: usize = Decoder::CAPACITY
    + OUTGOING_TARGET
    + 2 * TURN
    + LIMITS.streams as usize * (LIMITS.stream_credit as usize + (1 << 17))
    + 2 * (LIMITS.pipes * LIMITS.pipe_credit) as usize;

#[derive(Clone, Debug)]
enum Step {
    Open,
    Write { by_app: bool, which: usize, count: usize },
    WriteWithFile { by_app: bool, which: usize, size: usize },
    WriteWithPipe { by_app: bool, which: usize, reader: bool },
    Read { by_app: bool, which: usize },
    HangUp { by_app: bool, which: usize },
    UsePipe { which: usize, count: usize },
    DropPipe { which: usize },
    CloseStream { which: usize },
    Dispatch { guest: bool },
    Settle,
}

fn any_step() -> impl Strategy<Value = Step> {
    let which = 0usize..8;
    let by_app = any::<bool>();
    prop_oneof![
        3 => Just(Step::Open),
        8 => (by_app, which.clone(), 1usize..200_000)
            .prop_map(|(by_app, which, count)| Step::Write { by_app, which, count }),
        3 => (by_app, which.clone(), 0usize..=100_000)
            .prop_map(|(by_app, which, size)| Step::WriteWithFile { by_app, which, size }),
        2 => (by_app, which.clone(), any::<bool>())
            .prop_map(|(by_app, which, reader)| Step::WriteWithPipe { by_app, which, reader }),
        8 => (by_app, which.clone()).prop_map(|(by_app, which)| Step::Read { by_app, which }),
        1 => (by_app, which.clone()).prop_map(|(by_app, which)| Step::HangUp { by_app, which }),
        5 => (which.clone(), 1usize..100_000)
            .prop_map(|(which, count)| Step::UsePipe { which, count }),
        2 => which.clone().prop_map(|which| Step::DropPipe { which }),
        1 => which.prop_map(|which| Step::CloseStream { which }),
        5 => any::<bool>().prop_map(|guest| Step::Dispatch { guest }),
        3 => Just(Step::Settle),
    ]
}

/// One end of a connection: what it has written and read, each a running pattern.
struct Client {
    socket: UnixStream,
    stream: StreamId,
    written: usize,
    read: usize,
    files: usize,
}

impl Client {
    fn new(socket: UnixStream, stream: StreamId) -> Client {
        socket.set_nonblocking(true).unwrap();
        Client { socket, stream, written: 0, read: 0, files: 0 }
    }

    fn write(&mut self, count: usize, descriptors: &[OwnedFd]) {
        let bytes: Vec<u8> = (self.written..self.written + count).map(running).collect();
        let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !borrowed.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&borrowed));
        }
        let slices = [IoSlice::new(&bytes)];
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        self.written +=
            rustix::net::sendmsg(&self.socket, &slices, &mut control, flags).unwrap_or(0);
    }

    /// Reads a message; says whether its bytes are the right ones.
    fn read(&mut self, pipes: &mut Vec<OwnedFd>) -> bool {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_ATTACHMENTS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buffer = vec![0; 1 << 16];
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let Ok(message) =
            rustix::net::recvmsg(&self.socket, &mut slices, &mut control, RecvFlags::DONTWAIT)
        else {
            return true;
        };
        for ancillary in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = ancillary {
                for descriptor in rights {
                    if rustix::fs::fcntl_get_seals(&descriptor).is_ok() {
                        self.files += 1;
                    } else {
                        pipes.push(non_blocking(descriptor));
                    }
                }
            }
        }
        let start = self.read;
        self.read += message.bytes;
        buffer[..message.bytes].iter().copied().eq((start..self.read).map(running))
    }
}

fn running(position: usize) -> u8 {
    ((position as u32).wrapping_mul(2_654_435_761) >> 24) as u8
}

fn non_blocking(end: OwnedFd) -> OwnedFd {
    fcntl_setfl(&end, fcntl_getfl(&end).unwrap() | OFlags::NONBLOCK).unwrap();
    end
}

fn run(steps: Vec<Step>, bad: Option<(usize, bool, Vec<u8>)>) -> Result<(), TestCaseError> {
    let mut pair = Pair::with_limits(LIMITS);
    let (mut apps, mut clients, mut pipes) = (Vec::new(), Vec::new(), Vec::new());
    for (index, step) in steps.into_iter().enumerate() {
        if let Some((at, by_guest, bytes)) = &bad
            && *at == index
        {
            let link = if *by_guest { &mut pair.guest } else { &mut pair.display };
            link.inject(bytes);
        }
        match step {
            Step::Open => {
                let (app, end) = UnixStream::pair().unwrap();
                if let Ok(stream) = pair.guest.open(end) {
                    apps.push(Client::new(app, stream));
                }
            }
            Step::Write { by_app, which, count } => {
                if let Some(client) = pick(if by_app { &mut apps } else { &mut clients }, which) {
                    client.write(count, &[]);
                }
            }
            Step::WriteWithFile { by_app, which, size } => {
                if let Some(client) = pick(if by_app { &mut apps } else { &mut clients }, which) {
                    let file = memfd_create("chaos", MemfdFlags::CLOEXEC).unwrap();
                    rustix::fs::ftruncate(&file, size as u64).unwrap();
                    client.write(10, &[file]);
                }
            }
            Step::WriteWithPipe { by_app, which, reader } => {
                if let Some(client) = pick(if by_app { &mut apps } else { &mut clients }, which) {
                    let (read, write) = pipe().unwrap();
                    let (passed, kept): (OwnedFd, OwnedFd) = if reader {
                        (read.into(), write.into())
                    } else {
                        (write.into(), read.into())
                    };
                    client.write(10, &[passed]);
                    pipes.push(non_blocking(kept));
                }
            }
            Step::Read { by_app, which } => {
                if let Some(client) = pick(if by_app { &mut apps } else { &mut clients }, which) {
                    let right = client.read(&mut pipes);
                    // A bad frame may well be a good one that says something else.
                    prop_assert!(right || bad.is_some(), "wrong bytes on {}", client.stream);
                }
            }
            Step::HangUp { by_app, which } => {
                let side = if by_app { &mut apps } else { &mut clients };
                if !side.is_empty() {
                    side.remove(which % side.len());
                }
            }
            Step::UsePipe { which, count } => {
                if let Some(end) = pick(&mut pipes, which) {
                    let _ = rustix::io::write(&*end, &pattern(count));
                    let _ = rustix::io::read(&*end, &mut vec![0; count][..]);
                }
            }
            Step::DropPipe { which } => {
                if !pipes.is_empty() {
                    pipes.remove(which % pipes.len());
                }
            }
            Step::CloseStream { which } => {
                if let Some(client) = pick(&mut clients, which) {
                    let reason = Reason::new(ReasonCode::Refused, "chaos");
                    pair.display.close_stream(client.stream, reason);
                }
            }
            Step::Dispatch { guest } => {
                if guest { &mut pair.guest } else { &mut pair.display }.dispatch().unwrap();
            }
            Step::Settle => pair.settle(),
        }
        let events: Vec<_> = std::iter::from_fn(|| pair.display.next_event())
            .chain(pair.display_events.drain(..))
            .chain(std::iter::from_fn(|| pair.guest.next_event()))
            .chain(pair.guest_events.drain(..))
            .collect();
        for event in events {
            match event {
                LinkEvent::Opened { stream, socket } => clients.push(Client::new(socket, stream)),
                LinkEvent::Closed { reason, .. } => {
                    prop_assert!(bad.is_some(), "honest ends closed: {reason}");
                }
                _ => {}
            }
        }
        for (bytes, streams, all_pipes) in [pair.guest.held(), pair.display.held()] {
            prop_assert!(bytes <= MOST_HELD, "{bytes} bytes are held");
            prop_assert!(streams <= LIMITS.streams as usize);
            prop_assert!(all_pipes <= 2 * LIMITS.pipes as usize);
        }
    }
    pair.settle();
    // With everything gone, nothing is left.
    drop((apps, clients, pipes));
    pair.display_events.clear();
    pair.settle();
    pair.display_events.clear();
    pair.settle();
    // A process that another test is just starting has all descriptors of this one for a moment.
    let deadline = Instant::now() + Duration::from_secs(20);
    let is_empty = |link: &Link| {
        let (_, streams, all_pipes) = link.held();
        (streams, all_pipes) == (0, 0)
    };
    while bad.is_none() && !(is_empty(&pair.guest) && is_empty(&pair.display)) {
        prop_assert!(Instant::now() < deadline, "{:?}", [pair.guest.held(), pair.display.held()]);
        std::thread::yield_now();
        pair.settle();
        pair.display_events.clear();
    }
    Ok(())
}

fn pick<T>(from: &mut [T], which: usize) -> Option<&mut T> {
    let count = from.len().max(1);
    from.get_mut(which % count)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn honest_ends_never_fall_out_and_never_mix_up_bytes(
        steps in proptest::collection::vec(any_step(), 1..200),
    ) {
        run(steps, None)?;
    }

    #[test]
    fn a_bad_frame_at_any_moment_leaves_both_ends_sound(
        steps in proptest::collection::vec(any_step(), 1..150),
        at in 0usize..150,
        by_guest in any::<bool>(),
        bytes in prop_oneof![
            random::any_frame(),
            proptest::collection::vec(any::<u8>(), 1..100),
        ],
    ) {
        run(steps, Some((at, by_guest, bytes)))?;
    }
}
