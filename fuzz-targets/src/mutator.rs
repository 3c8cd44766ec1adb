//! Mutations without a fuzzer: the same ones on every machine, for `make test`.

/// Changes bytes at random, from a seed that makes it repeatable.
#[derive(Clone, Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// One that always does the same for this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        // FNV-1a: any spread of the names will do.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(hash | 1)
    }

    /// A number below this one; 0 where there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        // Xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % u64::try_from(limit.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// A few changes to `seed`, at times with a piece of `other`.
    #[must_use]
    pub fn mutated(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(3) {
            self.change(&mut bytes, other);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        const TELLING: &[u8] = b"\0\x01\x7f\x80\xff \t\n\r\"'\\/=:.,-*{}[]()%#$`0a";
        let at = self.below(bytes.len());
        let end = (at + 1 + self.below(8)).min(bytes.len());
        let telling = TELLING[self.below(TELLING.len())];
        match self.below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = telling,
            2 => bytes.insert(at, telling),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.truncate(at),
            5 => {
                let piece = bytes[at..end].to_vec();
                let times = 1 + self.below(3);
                bytes.splice(at..at, piece.repeat(times));
            }
            6 => {
                let from = self.below(other.len());
                let to = (from + 1 + self.below(32)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ if !bytes.is_empty() => bytes[at] = u8::try_from(self.below(256)).unwrap_or(0),
            _ => bytes.push(telling),
        }
    }
}
