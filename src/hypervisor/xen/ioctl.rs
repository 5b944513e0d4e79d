//! Requests to the drivers under `/dev/xen`. All of them have direction "none", and the size of
//! their C structure, with one element where it ends in an array.

use std::ffi::c_void;
use std::os::fd::AsFd;

use rustix::io;
use rustix::ioctl::{Direction, Ioctl, IoctlOutput, Opcode, ioctl, opcode};

/// The number of request `number` of the driver with this magic letter, whose C structure has
/// `size` bytes.
pub(super) const fn number(magic: u8, number: u8, size: usize) -> Opcode {
    opcode::from_components(Direction::None, magic, number, size)
}

/// What the driver reads and writes: its C structure as 32-bit words, in the machine's byte order.
struct Words<'a> {
    opcode: Opcode,
    words: &'a mut [u32],
}

// SAFETY: the pointer is that of the words, which live and are nobody else's for the whole call;
// that the driver stays inside them is what `request` asks of its callers.
unsafe impl Ioctl for Words<'_> {
    type Output = i32;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.words.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> io::Result<i32> {
        Ok(output)
    }
}

/// Makes a request. The driver reads `words` and writes its answer there; what it returns beside
/// that is the result.
///
/// # Safety
/// The driver, of the device that `device` is, reads and writes only in `words` for this request,
/// and takes nothing away that this process still uses.
pub(super) unsafe fn request(
    device: impl AsFd,
    opcode: Opcode,
    words: &mut [u32],
) -> io::Result<i32> {
    // SAFETY: as the caller promises.
    io::retry_on_intr(|| unsafe { ioctl(device.as_fd(), Words { opcode, words: &mut *words }) })
}

/// The two words of a 64-bit field.
pub(super) const fn wide(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_ne_bytes();
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}

/// The 64-bit field of two words.
pub(super) const fn from_wide([first, second]: [u32; 2]) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// The word of two 16-bit fields.
pub(super) const fn pair(first: u16, second: u16) -> u32 {
    let ([a, b], [c, d]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}
