//! Many segments at once: as many as there are cores, within a bound on memory. While some are
//! worked on, the ones before are written and the next are read.

use std::{num::NonZero, thread};

use satchel_format::Frame;

use crate::fail::Result;

/// Most bytes held at once.
const MEMORY_BYTES: u64 = 20 << 20;
/// There are two sets of lanes.
const BUFFERS: u64 = 2;

/// A segment under work. Its memory serves the next one too: asking for fresh memory each time would
/// cost more than encryption does.
#[derive(Debug, Default)]
pub struct Lane {
    /// Which segment.
    pub index: u32,
    /// What was read, and what comes of it: sealed and opened in one place.
    pub bytes: Vec<u8>,
    /// What belongs to it beside those bytes, once it is sealed.
    pub frame: Frame,
    /// The hash of its ciphertext, where only that was asked for.
    pub leaf: [u8; 32],
}

impl Lane {
    /// Room for `len` bytes of segment `index`.
    pub fn room(&mut self, index: u32, len: u64) -> &mut [u8] {
        self.index = index;
        self.bytes
            .resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
        &mut self.bytes
    }
}

/// How many segments of at most `segment_bytes` to work on at once: 1 to the number of cores.
#[must_use]
pub fn lanes(segment_bytes: u64) -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let each = segment_bytes.max(1).saturating_mul(BUFFERS);
    let fit = MEMORY_BYTES
        .checked_div(each)
        .and_then(|fit| usize::try_from(fit).ok());
    fit.unwrap_or(1).clamp(1, cores)
}

/// Reads segments until `read` says there is no more, works on `width` of them at once, and writes
/// the results in order.
pub fn run(
    width: usize,
    mut read: impl FnMut(&mut Lane) -> Result<bool>,
    work: impl Fn(&mut Lane) -> Result<()> + Sync,
    mut write: impl FnMut(&Lane) -> Result<()>,
) -> Result<()> {
    let fresh = || (0..width).map(|_| Lane::default()).collect::<Vec<_>>();
    let mut fill = |lanes: &mut [Lane]| -> Result<usize> {
        let mut filled: usize = 0;
        for lane in lanes {
            if !read(lane)? {
                break;
            }
            filled = filled.saturating_add(1);
        }
        Ok(filled)
    };
    let (mut busy, mut idle) = (fresh(), fresh());
    let mut filled = fill(&mut busy)?;
    let mut worked: usize = 0;
    while filled > 0 || worked > 0 {
        let work = &work;
        let next = thread::scope(|scope| {
            let running: Vec<_> = busy
                .iter_mut()
                .take(filled)
                .map(|lane| scope.spawn(move || work(lane)))
                .collect();
            let written = idle.iter().take(worked).try_for_each(&mut write);
            let next = written.and_then(|()| fill(&mut idle));
            for thread in running {
                match thread.join() {
                    Ok(result) => result?,
                    // A panic is a bug, and goes on to whoever reports those.
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            next
        })?;
        core::mem::swap(&mut busy, &mut idle);
        worked = filled;
        filled = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fail::{Exit, Failure};

    #[test]
    fn memory_bounds_the_number_of_segments_at_once() {
        assert_eq!(lanes(u64::MAX), 1);
        assert_eq!(lanes(MEMORY_BYTES), 1);
        assert!(lanes(1) >= 1);
    }

    /// Doubles the bytes of `count` segments and gives them in the order they were written.
    fn doubled(count: u32, width: usize, bad: Option<u32>) -> Result<Vec<u8>> {
        let (mut index, mut out) = (0, Vec::new());
        run(
            width,
            |lane| {
                let more = index < count;
                if more {
                    lane.room(index, 1).fill(u8::try_from(index).unwrap());
                    index = index.saturating_add(1);
                }
                Ok(more)
            },
            |lane| {
                if bad == Some(lane.index) {
                    return Err(Failure::new(Exit::BadFile, "bad"));
                }
                for byte in &mut lane.bytes {
                    *byte = byte.wrapping_add(*byte);
                }
                Ok(())
            },
            |lane| {
                out.extend(&lane.bytes);
                Ok(())
            },
        )?;
        Ok(out)
    }

    #[test]
    fn results_stand_in_the_order_of_the_segments() {
        for (count, width) in [(0, 1), (1, 4), (20, 1), (20, 3), (20, 4), (20, 64)] {
            let wanted: Vec<u8> = (0..u8::try_from(count).unwrap())
                .map(|n| n.wrapping_add(n))
                .collect();
            assert_eq!(doubled(count, width, None).unwrap(), wanted);
        }
    }

    #[test]
    fn one_bad_segment_ends_it() {
        for bad in [0, 7, 19] {
            assert!(doubled(20, 3, Some(bad)).is_err(), "{bad}");
        }
    }
}
