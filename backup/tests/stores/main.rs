//! Backups in several stores at once, against real servers: two that speak S3 (`s3s-fs`, in process, which checks
//! signatures and checksums), a disk, proxies and faults in between. Object lock needs `moto_server` (PyPI
//! `moto[server]`) and is skipped with a line that says so where there is none.

mod everywhere;
mod faults;
mod lock;
mod reading;
mod server;
mod sweeping;
mod world;
mod writing;
