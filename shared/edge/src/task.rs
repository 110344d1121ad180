//! Futures on the runtime: run where what they wait for has happened.
//!
//! The usual executor asks for a microtask, and makes two functions, for each thing that is awaited; the
//! runtime's `queueMicrotask` is not cheap, and it was a tenth of an order (docs/adr/0018). Here a promise
//! that settles runs the waiting future at once: it is a microtask already, and that of the right request.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use wasm_bindgen::{JsValue, closure::Closure, prelude::wasm_bindgen};

#[wasm_bindgen(inline_js = r#"
export function follow(promise, id, settle) {
  promise.then((value) => settle(id, true, value), (error) => settle(id, false, error));
}
"#)]
extern "C" {
    fn follow(promise: &JsValue, id: usize, settle: &JsValue);
}

/// Things by number; numbers of what was taken out are given again.
struct Numbered<T> {
    slots: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Numbered<T> {
    const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    fn add(&mut self, thing: T) -> usize {
        if let Some(id) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(id)
        {
            *slot = Some(thing);
            return id;
        }
        self.slots.push(Some(thing));
        self.slots.len().saturating_sub(1)
    }

    fn get(&mut self, id: usize) -> Option<&mut T> {
        self.slots.get_mut(id)?.as_mut()
    }

    fn take(&mut self, id: usize) -> Option<T> {
        let thing = self.slots.get_mut(id)?.take();
        if thing.is_some() {
            self.free.push(id);
        }
        thing
    }
}

/// A future on its way. It is out of its slot while it runs.
struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Woken while it ran.
    again: bool,
    waker: Waker,
}

#[derive(Default)]
struct Awaited {
    settled: Option<Result<JsValue, JsValue>>,
    waker: Option<Waker>,
}

thread_local! {
    static TASKS: RefCell<Numbered<Task>> = const { RefCell::new(Numbered::new()) };
    static AWAITED: RefCell<Numbered<Rc<RefCell<Awaited>>>> = const { RefCell::new(Numbered::new()) };
    /// [`settle`] as JavaScript calls it.
    static SETTLE: JsValue = Closure::<dyn Fn(usize, bool, JsValue)>::new(settle).into_js_value();
}

/// A task's number.
struct Id(usize);

impl Wake for Id {
    fn wake(self: Arc<Self>) {
        run(self.0);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        run(self.0);
    }
}

/// Runs a future, beginning at once.
pub(crate) fn spawn(future: Pin<Box<dyn Future<Output = ()>>>) {
    let id = TASKS.with_borrow_mut(|tasks| {
        let id = tasks.add(Task {
            future: Some(future),
            again: false,
            waker: Waker::noop().clone(),
        });
        if let Some(task) = tasks.get(id) {
            task.waker = Waker::from(Arc::new(Id(id)));
        }
        id
    });
    run(id);
}

fn run(id: usize) {
    // Nothing of the table is held while a future runs: it may wake others, and itself.
    let begin = |tasks: &mut Numbered<Task>| {
        let task = tasks.get(id)?;
        task.again = task.future.is_none();
        Some((task.future.take()?, task.waker.clone()))
    };
    while let Some((mut future, waker)) = TASKS.with_borrow_mut(begin) {
        if future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            TASKS.with_borrow_mut(|tasks| tasks.take(id));
            return;
        }
        let again = TASKS.with_borrow_mut(|tasks| {
            let task = tasks.get(id)?;
            task.future = Some(future);
            Some(task.again)
        });
        if again != Some(true) {
            return;
        }
    }
}

fn settle(id: usize, fulfilled: bool, value: JsValue) {
    let Some(awaited) = AWAITED.with_borrow_mut(|all| all.take(id)) else {
        return;
    };
    let mut state = awaited.borrow_mut();
    state.settled = Some(if fulfilled { Ok(value) } else { Err(value) });
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// What comes of a promise.
pub(crate) struct Settled(Rc<RefCell<Awaited>>);

/// Waits for a promise.
pub(crate) fn settled(promise: &JsValue) -> Settled {
    let awaited: Rc<RefCell<Awaited>> = Rc::default();
    let id = AWAITED.with_borrow_mut(|all| all.add(Rc::clone(&awaited)));
    SETTLE.with(|settle| follow(promise, id, settle));
    Settled(awaited)
}

impl Future for Settled {
    type Output = Result<JsValue, JsValue>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.borrow_mut();
        if let Some(result) = state.settled.take() {
            return Poll::Ready(result);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Waits until it was woken a number of times.
    struct Countdown(Rc<Cell<u32>>, Rc<RefCell<Option<Waker>>>);

    impl Future for Countdown {
        type Output = ();

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            let Some(left) = self.0.get().checked_sub(1) else {
                return Poll::Ready(());
            };
            self.0.set(left);
            *self.1.borrow_mut() = Some(context.waker().clone());
            if left.is_multiple_of(2) {
                // While it runs.
                context.waker().wake_by_ref();
            }
            Poll::Pending
        }
    }

    #[test]
    fn a_future_runs_whenever_it_is_woken_and_its_number_is_given_again() {
        for _ in 0..3 {
            let (left, waker, ended) =
                (Rc::new(Cell::new(5)), Rc::default(), Rc::new(Cell::new(0)));
            let countdown = Countdown(Rc::clone(&left), Rc::clone(&waker));
            let count = Rc::clone(&ended);
            spawn(Box::pin(async move {
                countdown.await;
                count.set(count.get() + 1);
            }));
            // 5 → 4, which wakes, → 3.
            assert_eq!((left.get(), ended.get()), (3, 0));
            while ended.get() == 0 {
                let woken: Waker = waker.borrow_mut().take().unwrap();
                woken.wake();
            }
            assert_eq!((left.get(), ended.get()), (0, 1));
            assert_eq!(TASKS.with_borrow(|tasks| tasks.slots.len()), 1);
        }
    }

    #[test]
    fn one_future_may_wake_another_and_end_it() {
        let (waker, ended): (Rc<RefCell<Option<Waker>>>, _) =
            (Rc::default(), Rc::new(Cell::new(false)));
        let (kept, end) = (Rc::clone(&waker), Rc::clone(&ended));
        spawn(Box::pin(async move {
            Countdown(Rc::new(Cell::new(1)), kept).await;
            end.set(true);
        }));
        let woken = waker.borrow_mut().take();
        spawn(Box::pin(async move {
            woken.into_iter().for_each(Waker::wake);
        }));
        assert!(ended.get());
    }
}
