//! What differs between machines: the numbers of calls, and the registers that they are made with.

use libc::{c_long, ucontext_t};

/// A call as the process made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawCall {
    pub(super) number: c_long,
    pub(super) arguments: [usize; 5],
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use super::{RawCall, ucontext_t};

    /// `AUDIT_ARCH_X86_64`
    pub(crate) const MACHINE: u32 = 0xc000_003e;

    pub(crate) fn call(context: &ucontext_t) -> RawCall {
        let register = |index: i32| context.uc_mcontext.gregs[index.unsigned_abs() as usize];
        let indices = [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8];
        let arguments = indices.map(|index| register(index).cast_unsigned() as usize);
        RawCall { number: register(libc::REG_RAX), arguments }
    }

    pub(crate) fn answer(context: &mut ucontext_t, outcome: isize) {
        context.uc_mcontext.gregs[libc::REG_RAX.unsigned_abs() as usize] = outcome as i64;
    }

    /// The calls that newer machines do without.
    pub(crate) const OLD: [(i64, &str); 5] = [
        (libc::SYS_open, "open"),
        (libc::SYS_creat, "creat"),
        (libc::SYS_unlink, "unlink"),
        (libc::SYS_rename, "rename"),
        (libc::SYS_link, "link"),
    ];
}

#[cfg(target_arch = "aarch64")]
mod registers {
    use super::{RawCall, ucontext_t};

    /// `AUDIT_ARCH_AARCH64`
    pub(crate) const MACHINE: u32 = 0xc000_00b7;

    pub(crate) fn call(context: &ucontext_t) -> RawCall {
        let register = |index: usize| context.uc_mcontext.regs[index];
        RawCall { number: register(8).cast_signed(), arguments: [0, 1, 2, 3, 4].map(|at| register(at) as usize) }
    }

    pub(crate) fn answer(context: &mut ucontext_t, outcome: isize) {
        context.uc_mcontext.regs[0] = outcome as u64;
    }

    /// The calls that newer machines do without.
    pub(crate) const OLD: [(i64, &str); 0] = [];
}

pub(super) use registers::{MACHINE, OLD, answer, call};
