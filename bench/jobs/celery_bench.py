"""Celery with jobs that do nothing: python celery_bench.py enqueue|e2e|latency|idle [N]

Environment: see celery_app.py. The worker is prefork with two children, late acknowledgement, quorum queue.
One JSON line per measurement, as the Rust side prints.
"""
import glob, json, multiprocessing, os, signal, subprocess, sys, tempfile, time

import psutil

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import celery_app
from kombu import Exchange, Queue

APP = celery_app.app
CHILDREN = int(os.environ.get("CONCURRENCY", "2"))
CELERY = os.path.join(os.path.dirname(sys.executable), "celery")


def waiting():
    with APP.connection_for_read() as connection:
        return connection.channel().queue_declare(queue=celery_app.QUEUE, passive=True).message_count


def fresh_queue():
    with APP.connection_for_write() as connection:
        channel = connection.channel()
        channel.queue_delete(celery_app.QUEUE)
        Queue(celery_app.QUEUE, Exchange(celery_app.QUEUE), routing_key=celery_app.QUEUE, durable=True,
              queue_arguments={"x-queue-type": "quorum"})(channel).declare()


def send(count):
    with APP.producer_pool.acquire(block=True) as producer:
        began = time.perf_counter()
        for i in range(count):
            celery_app.noop.apply_async((i,), producer=producer)
        return time.perf_counter() - began


def start_worker(**environment):
    worker = subprocess.Popen(
        [CELERY, "-A", "celery_app", "worker", "-c", str(CHILDREN), "-P", "prefork", "-l", "ERROR",
         "--without-gossip", "--without-mingle", "--without-heartbeat"],
        cwd=HERE, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    send(200)
    until_empty()
    return worker


def stop(worker):
    worker.send_signal(signal.SIGTERM)
    try:
        worker.wait(20)
    except subprocess.TimeoutExpired:
        worker.kill()


def until_empty(patience_s=300):
    deadline = time.time() + patience_s
    while waiting():
        if time.time() > deadline:
            raise SystemExit("the worker does not take its jobs")
        time.sleep(0.01)


def family(worker):
    parent = psutil.Process(worker.pid)
    return [parent] + parent.children(recursive=True)


def enqueue(count):
    send(200)
    clients = int(os.environ.get("CLIENTS", "1"))
    if clients == 1:
        return {"clients": 1, "jobs_per_s": round(count / send(count))}
    # Processes, or one interpreter would be the limit; each has its connection before the clock starts.
    ready = multiprocessing.Barrier(clients + 1)

    def client():
        send(10)
        ready.wait()
        send(count // clients)

    processes = [multiprocessing.Process(target=client) for _ in range(clients)]
    APP.pool.force_close_all()
    for process in processes:
        process.start()
    ready.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    return {"clients": clients, "jobs_per_s": round(count / (time.perf_counter() - began))}


def e2e(count):
    worker = start_worker()
    time.sleep(1.5)
    processes = family(worker)
    # A backlog first: the producer must not compete with the worker.
    for process in processes:
        process.suspend()
    send(count)
    cpu = lambda: sum(sum(p.cpu_times()[:2]) for p in processes)
    cpu_before, began = cpu(), time.perf_counter()
    for process in processes:
        process.resume()
    until_empty()
    wall, used = time.perf_counter() - began, cpu() - cpu_before
    rss = sum(p.memory_info().rss for p in processes)
    stop(worker)
    return {"jobs_per_s": round(count / wall), "cpu_us_per_job": round(used / count * 1e6), "rss_mb": round(rss / 2**20, 1)}


def latency(seconds):
    files = os.path.join(tempfile.mkdtemp(), "waits")
    worker = start_worker(LATENCY_FILE=files)
    with APP.producer_pool.acquire(block=True) as producer:
        began = time.perf_counter()
        for i in range(seconds * 50):
            time.sleep(max(0, began + i / 50 - time.perf_counter()))
            celery_app.stamp.apply_async((time.clock_gettime_ns(time.CLOCK_MONOTONIC),), producer=producer)
    until_empty()
    time.sleep(1)
    waits = sorted(float(x) for name in glob.glob(files + ".*") for x in open(name).read().split())
    at = lambda share: round(waits[int((len(waits) - 1) * share)], 3)
    stop(worker)
    return {"jobs": len(waits), "p50_ms": at(.5), "p90_ms": at(.9), "p99_ms": at(.99)}


def idle(_):
    worker = start_worker()
    rss = [round(p.memory_info().rss / 2**20, 1) for p in family(worker)]
    stop(worker)
    return {"rss_mb": rss}


mode = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else {"enqueue": 2000, "e2e": 5000, "latency": 20, "idle": 0}[mode]
fresh_queue()
measured = {"enqueue": enqueue, "e2e": e2e, "latency": latency, "idle": idle}[mode](count)
fresh_queue()
print(json.dumps({"mode": mode, "result": celery_app.RESULT, "prefetch": celery_app.PREFETCH, "measured": measured}))
