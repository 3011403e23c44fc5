//! The apalis backend: deliveries from our queue, one at a time, when a slot is free.

use super::attempt::{AttemptLayer, Work};
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use shared::queue::Delivery;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Each delivery gets an id of its own, also the second one of the same job: apalis must not take them for one.
static DELIVERIES: AtomicU64 = AtomicU64::new(1);

pub(super) struct QueueBackend {
    deliveries: mpsc::Receiver<Delivery>,
    layer: AttemptLayer,
}

impl QueueBackend {
    pub(super) fn new(deliveries: mpsc::Receiver<Delivery>, layer: AttemptLayer) -> Self {
        Self { deliveries, layer }
    }
}

impl Backend for QueueBackend {
    type Task = Task<Work>;
    // An error here would make apalis drop every attempt in flight.
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        match self.deliveries.poll_recv(cx) {
            Poll::Ready(Some(delivery)) => {
                let id = TaskId::Int(DELIVERIES.fetch_add(1, Ordering::Relaxed));
                Poll::Ready(Some(Ok(TaskBuilder::new(Work::new(delivery)).task_id(id).build())))
            }
            // The receiver ends when the worker is told to stop; `None` here would leave apalis hanging.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Called after everything in flight has ended. What was delivered and never started is handed back by
    /// dropping it unacknowledged.
    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.deliveries.close();
        loop {
            match self.deliveries.poll_recv(cx) {
                Poll::Ready(Some(unstarted)) => drop(unstarted),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl BackendConfig for QueueBackend {
    type Args = Work;
    type Id = u64;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = AttemptLayer;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> AttemptLayer {
        self.layer.clone()
    }
}
