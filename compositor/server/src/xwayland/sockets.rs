//! The socket where X11 programs find us, kept for as long as the compositor runs: Xwayland comes and
//! goes behind it.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            fs::{DirBuilderExt, PermissionsExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    process,
};

use rustix::{
    io::Errno,
    net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
    process::{Pid, test_kill_process},
};

/// Where X servers have their sockets, and where they mark the numbers of their displays as taken.
const SOCKETS: &str = "/tmp/.X11-unix";
const LOCKS: &str = "/tmp";
/// The displays to try. From 0 to 32 Smithay takes one for Xwayland itself.
const NUMBERS: std::ops::Range<u32> = 0..1000;

/// A display of X11: its number, and the socket that stands for it.
#[derive(Debug)]
pub(super) struct X11Display {
    number: u32,
    listener: UnixListener,
    socket: PathBuf,
    /// Nobody listens there: programs that try it first go on to the socket.
    _abstract_name: OwnedFd,
    _lock: Lock,
}

impl X11Display {
    /// Take the first display that is free.
    pub(super) fn take_free() -> io::Result<X11Display> {
        prepare_directory(Path::new(SOCKETS))?;
        for number in NUMBERS {
            let Some(lock) = Lock::take(number)? else { continue };
            let Some(abstract_name) = take_abstract_name(number)? else { continue };
            let socket = Path::new(SOCKETS).join(format!("X{number}"));
            // Whoever had this display and left its socket is gone: the lock says so.
            let _ = fs::remove_file(&socket);
            let listener = UnixListener::bind(&socket)?;
            // All X11 programs can read and steer each other: only this user's may come.
            fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
            return Ok(X11Display {
                number,
                listener,
                socket,
                _abstract_name: abstract_name,
                _lock: lock,
            });
        }
        Err(io::Error::new(ErrorKind::AddrInUse, "all numbers of displays are taken"))
    }

    /// Its number, which no other X server of this machine has.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// What programs find in `DISPLAY`.
    pub(super) fn name(&self) -> String {
        format!(":{}", self.number)
    }
}

impl AsFd for X11Display {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for X11Display {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// Have the name of the display among the abstract ones, so that no other X server gets those who look
/// there first. `None` if one has it, perhaps one that is about to end.
fn take_abstract_name(number: u32) -> io::Result<Option<OwnedFd>> {
    let name = format!("{SOCKETS}/X{number}");
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes())?;
    let socket =
        net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    match net::bind(&socket, &address) {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::ADDRINUSE) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// As X servers make it, for all users: nobody takes away what is another's.
fn prepare_directory(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o1777).create(path) {
        // The mask of new files has taken some of that away.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o1777)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The file that says which process has a display.
#[derive(Debug)]
struct Lock(PathBuf);

impl Lock {
    /// `None` if another process has it.
    fn take(number: u32) -> io::Result<Option<Lock>> {
        let path = Path::new(LOCKS).join(format!(".X{number}-lock"));
        // Whole when it appears, as X servers make theirs: they remove a lock that names nobody.
        let draft = Path::new(LOCKS).join(format!(".tX{number}-lock.{}", process::id()));
        fs::write(&draft, format!("{:>10}\n", process::id()))?;
        let taken = Lock::link(&draft, path);
        // It is nobody's but ours.
        let _ = fs::remove_file(&draft);
        taken
    }

    fn link(draft: &Path, path: PathBuf) -> io::Result<Option<Lock>> {
        for _ in 0..2 {
            match fs::hard_link(draft, &path) {
                Ok(()) => return Ok(Some(Lock(path))),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if !is_left_over(&path) || fs::remove_file(&path).is_err() {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Whether the process that a lock names is gone.
fn is_left_over(lock: &Path) -> bool {
    let text = fs::read_to_string(lock).unwrap_or_default();
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}
