//! Decides when loaders load: once everything that can be asked for without waiting has been asked for.
//!
//! A loader that waits for a while instead (async-graphql's waits 1 ms, on a task of its own) makes every level of a
//! query slower, and splits its batches when resolving a long list takes longer than that: the number of statements
//! then depends on how busy the machine is.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::pace::Pace;

/// Batches that the loaders of one execution want to run. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Batches {
    waiting: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
}

impl Batches {
    /// Adds a batch, which others may still join until it runs.
    pub(super) fn add(&self, batch: BoxFuture<'static, ()>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
    }

    fn take(&self) -> Vec<BoxFuture<'static, ()>> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs the execution, and its batches in waves: waiting batches start when the execution can't continue and the
    /// wave before has ended. So there are as many waves as the query has levels. After each turn of `pace` it lets the
    /// thread do something else; no batch starts while something waits for a turn that may join it.
    pub(super) async fn drive<T>(&self, pace: &Pace, execution: impl Future<Output = T>) -> T {
        let mut execution = pin!(execution);
        let mut wave = FuturesUnordered::new();
        poll_fn(|cx| {
            pace.begin_turn();
            loop {
                let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: cx.waker().clone() });
                let waker = Waker::from(Arc::clone(&bell));
                while bell.rung.swap(false, Ordering::Relaxed) {
                    if let Poll::Ready(done) = execution.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return Poll::Ready(done);
                    }
                }
                if pace.is_awaited() {
                    // Polled once, it wakes this task after the others of this thread had their turn.
                    let _ = pin!(tokio::task::yield_now()).poll(cx);
                    return Poll::Pending;
                }
                if wave.is_empty() {
                    // All start before the execution goes on: what one of them sets off joins none of the others, however
                    // soon it is done. So as many statements run on a busy machine as on an idle one.
                    for mut batch in self.take() {
                        if batch.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                            wave.push(batch);
                        }
                    }
                }
                match wave.poll_next_unpin(cx) {
                    Poll::Ready(Some(())) => {}
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }
}

/// Records that the execution was woken. An execution that wakes itself while it is polled has only yielded:
/// async-graphql's `FuturesUnordered` does so in every long list, before all of its items have asked for what they
/// need.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Relaxed);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;
    use std::time::Duration;

    use async_graphql::dataloader::{DataLoader, Loader};
    use futures_util::future::join_all;

    use super::*;

    /// Loads each number as the number itself, and records the sizes of its batches.
    struct Echo(Arc<Mutex<Vec<usize>>>);

    impl Loader<usize> for Echo {
        type Value = usize;
        type Error = Infallible;

        async fn load(&self, keys: &[usize]) -> Result<HashMap<usize, usize>, Infallible> {
            self.0.lock().expect("not poisoned").push(keys.len());
            tokio::task::yield_now().await;
            Ok(keys.iter().map(|&key| (key, key)).collect())
        }
    }

    #[tokio::test]
    async fn a_list_of_any_length_loads_each_level_at_once() {
        for length in [3, 3000] {
            let (sizes, batches) = (Arc::default(), Batches::default());
            let loader = DataLoader::new(Echo(Arc::clone(&sizes)), {
                let batches = batches.clone();
                move |batch| batches.add(batch)
            });
            let loader = &loader.delay(Duration::ZERO).max_batch_size(usize::MAX);
            let two_levels = (0..length).map(|item| async move {
                let found = loader.load_one(item).await.expect("infallible").expect("found");
                loader.load_one(found + length).await
            });

            batches.drive(&Pace::default(), join_all(two_levels)).await;

            assert_eq!(*sizes.lock().expect("not poisoned"), [length, length]);
        }
    }

    #[tokio::test]
    async fn a_long_list_of_objects_loads_at_once_though_it_steps_aside_in_between() {
        let (sizes, batches) = (Arc::default(), Batches::default());
        let loader = DataLoader::new(Echo(Arc::clone(&sizes)), {
            let batches = batches.clone();
            move |batch| batches.add(batch)
        });
        let loader = &loader.delay(Duration::ZERO).max_batch_size(usize::MAX);
        // As async-graphql resolves them: the items of a list, and within each the fields of an object.
        let objects = (0..100).map(|item| async move {
            let fields = [item, item + 100].map(|key| loader.load_one(key));
            fields.into_iter().collect::<FuturesUnordered<_>>().collect::<Vec<_>>().await
        });

        batches.drive(&Pace::default(), join_all(objects)).await;

        assert_eq!(*sizes.lock().expect("not poisoned"), [200]);
    }
    /// Has its rows in memory already.
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    struct AtOnce(usize);

    impl Loader<AtOnce> for Echo {
        type Value = usize;
        type Error = Infallible;

        async fn load(&self, keys: &[AtOnce]) -> Result<HashMap<AtOnce, usize>, Infallible> {
            Ok(keys.iter().map(|&key| (key, key.0)).collect())
        }
    }

    #[tokio::test]
    async fn what_a_batch_sets_off_that_is_done_at_once_joins_none_that_has_waited_with_it() {
        let (sizes, batches) = (Arc::default(), Batches::default());
        let loader = DataLoader::new(Echo(Arc::clone(&sizes)), {
            let batches = batches.clone();
            move |batch| batches.add(batch)
        });
        let loader = &loader.delay(Duration::ZERO).max_batch_size(usize::MAX);
        let in_two_levels = async {
            loader.load_one(AtOnce(1)).await.expect("infallible").expect("found");
            loader.load_one(1).await
        };

        let execution = futures_util::future::join(in_two_levels, loader.load_one(2));
        batches.drive(&Pace::default(), execution).await.0.expect("infallible");

        assert_eq!(*sizes.lock().expect("not poisoned"), [1, 1]);
    }
}
