//! The order of pieces that are done in another one, and how it ends on either side.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::*;

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<T>(ordered: &mut Ordered<T>, woken: &Arc<Woken>) -> Poll<Option<Option<T>>> {
    let waker = Waker::from(woken.clone());
    pin!(ordered.next()).poll(&mut Context::from_waker(&waker))
}

#[test]
fn pieces_come_in_the_order_in_which_they_were_begun_several_at_once() {
    let (order, mut ordered) = order(5, 3);
    let woken = Arc::default();
    let mut places = (0..5).map(|_| order.begin().expect("somebody waits")).collect::<VecDeque<_>>();
    assert_eq!(poll(&mut ordered, &woken), Poll::Pending);
    let first = places.pop_front().expect("there are five");
    (1..).zip(places.drain(..3)).for_each(|(number, place)| place.fill(number));
    assert_eq!((poll(&mut ordered, &woken), woken.0.load(Ordering::Relaxed)), (Poll::Pending, 0));
    first.fill(0);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    for number in 0..4 {
        assert_eq!(poll(&mut ordered, &woken), Poll::Ready(Some(Some(number))));
    }
    // The last one is not worth it, until there will be no more.
    places.pop_front().expect("one is left").fill(4);
    assert_eq!((poll(&mut ordered, &woken), woken.0.load(Ordering::Relaxed)), (Poll::Pending, 1));
    drop(order);
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    assert_eq!(poll(&mut ordered, &woken), Poll::Ready(Some(Some(4))));
    assert_eq!(poll(&mut ordered, &woken), Poll::Ready(None));
}

#[test]
fn a_place_that_is_left_unfilled_says_so() {
    let (order, mut ordered) = order::<u8>(2, 1);
    drop(order.begin());
    assert_eq!(poll(&mut ordered, &Arc::default()), Poll::Ready(Some(None)));
}

#[test]
fn what_is_being_made_when_nothing_more_is_begun_is_waited_for() {
    let (order, mut ordered) = order(4, 3);
    let woken = Arc::default();
    let place = order.begin().expect("somebody waits");
    drop(order);
    assert_eq!(poll(&mut ordered, &woken), Poll::Pending);
    place.fill(0);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(poll(&mut ordered, &woken), Poll::Ready(Some(Some(0))));
    assert_eq!(poll(&mut ordered, &woken), Poll::Ready(None));
}

#[test]
fn threads_wait_for_room_and_end_when_nobody_waits_for_them() {
    let (order, mut ordered) = order(4, 2);
    let begun = AtomicUsize::new(0);
    let work = || {
        while let Some(place) = order.begin() {
            place.fill(begun.fetch_add(1, Ordering::Relaxed));
        }
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        let taken = futures::executor::block_on(async {
            for _ in 0..1000 {
                ordered.next().await.expect("there is more").expect("all are filled");
            }
            begun.load(Ordering::Relaxed)
        });
        // Those that were taken at once and not handed out count as taken.
        assert!(taken <= 1000 + 3 + 4 + 2, "{taken}");
        drop(ordered);
        threads.into_iter().for_each(|thread| thread.join().expect("a thread ends"));
    });
}

#[test]
fn pieces_have_their_turn_one_after_the_other() {
    let (order, ordered) = order(3, 3);
    let [first, second, third] = [(); 3].map(|()| order.begin().expect("somebody waits"));
    assert!(first.is_next() && !second.is_next() && first.wait());
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| second.wait());
        first.fill(0);
        assert!(turn.join().expect("the thread ends"), "the turn comes when the first is filled");
        // Nobody waits for what would have been next.
        let turn = scope.spawn(|| third.wait());
        drop(ordered);
        assert!(!turn.join().expect("the thread ends"));
    });
}
