"""The Celery application: BROKER, RESULT_DB, RESULT=ignore|postgres, CONFIRM=0|1, PREFETCH."""
import os, time

from celery import Celery
from kombu import Exchange, Queue

RESULT = os.environ.get("RESULT", "postgres")
PREFETCH = int(os.environ.get("PREFETCH", "16"))
QUEUE = "counterfoil-bench-celery"

app = Celery("bench", broker=os.environ["BROKER"], backend=os.environ["RESULT_DB"] if RESULT == "postgres" else None)
app.conf.update(
    task_ignore_result=RESULT == "ignore",
    broker_transport_options={"confirm_publish": os.environ.get("CONFIRM", "1") == "1"},
    task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=PREFETCH,
    task_default_delivery_mode=2, task_serializer="json", accept_content=["json"],
    worker_enable_remote_control=False, broker_connection_retry_on_startup=True,
    task_queues=[Queue(QUEUE, Exchange(QUEUE), routing_key=QUEUE, durable=True,
                       queue_arguments={"x-queue-type": "quorum"})],
    task_default_queue=QUEUE, task_default_exchange=QUEUE, task_default_routing_key=QUEUE,
    task_create_missing_queues=False,
)


@app.task(name="bench.noop")
def noop(n):
    return n


_file = None


@app.task(name="bench.stamp")
def stamp(sent_ns):
    """CLOCK_MONOTONIC is one clock for all processes of a machine."""
    global _file
    waited = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - sent_ns
    if _file is None:
        _file = open(f"{os.environ['LATENCY_FILE']}.{os.getpid()}", "a", buffering=1)
    _file.write(f"{waited / 1e6}\n")
