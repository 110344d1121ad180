//! Waiting for several answers at once.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

/// A question, and its answer once it is there.
type Asked<F> = (Pin<Box<F>>, Option<<F as Future>::Output>);

/// What all of them give, in their order.
pub(crate) async fn together<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Asked<F>> = all.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut ready = true;
        for (future, done) in &mut waiting {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *done = Some(output),
                    Poll::Pending => ready = false,
                }
            }
        }
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, task::Waker};

    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_questions_whoever_is_first() {
        let slow = Cell::new(3_u32);
        let question = |n: u32| {
            let slow = &slow;
            poll_fn(move |_| {
                if n == 0 && slow.get() > 0 {
                    slow.set(slow.get() - 1);
                    return Poll::Pending;
                }
                Poll::Ready(n)
            })
        };
        let mut all = Box::pin(together((0..3).map(question)));
        let mut context = std::task::Context::from_waker(Waker::noop());
        for _ in 0..3 {
            assert!(all.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(all.as_mut().poll(&mut context), Poll::Ready(vec![0, 1, 2]));
    }
}
