//! How much work lies between two looks at the watch: counted in tests, nothing at all elsewhere.
//!
//! A *step* is work of a bounded cost, some tens of nanoseconds at most: a record's number or sixteen bytes of its text
//! read, two amounts set side by side, sixteen bytes hashed, one item put in its place by a sort, one candidate pair
//! weighed. Where such work is done it is counted, by each thread for itself; a look sets the count back. What only
//! copies or marks numbers in a row, about a nanosecond each, is not counted.

/// So many steps were done.
#[inline(always)]
pub(crate) fn steps(count: usize) {
    #[cfg(test)]
    counted::add(count as u64);
    #[cfg(not(test))]
    let _ = count;
}

#[cfg(test)]
pub(super) mod counted {
    use std::cell::{Cell, RefCell};
    use std::panic::Location;
    use std::sync::{Arc, Mutex};

    /// The most steps between two looks of any thread, and between which two places.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct Longest {
        pub steps: u64,
        pub from: Option<&'static Location<'static>>,
        pub to: Option<&'static Location<'static>>,
    }

    pub type Tally = Arc<Mutex<Longest>>;

    thread_local! {
        static TALLY: RefCell<Option<Tally>> = const { RefCell::new(None) };
        static SINCE: Cell<u64> = const { Cell::new(0) };
        static LAST: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    }

    /// This thread counts from now on.
    pub fn count_into(tally: Tally) {
        TALLY.with(|own| *own.borrow_mut() = Some(tally));
    }

    pub fn add(count: u64) {
        SINCE.set(SINCE.get() + count);
    }

    pub fn looked(at: &'static Location<'static>) {
        let steps = SINCE.replace(0);
        let from = LAST.replace(Some(at));
        TALLY.with(|tally| {
            if let Some(tally) = &*tally.borrow() {
                let mut longest = tally.lock().unwrap();
                if steps > longest.steps {
                    *longest = Longest { steps, from, to: Some(at) };
                }
            }
        });
    }
}
