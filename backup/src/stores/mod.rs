//! Where backups live: several stores at once, none of them trusted alone.
//!
//! Words: a *store* keeps objects under typed names ([`ObjectName`]), on a disk or behind an S3 endpoint. An object is
//! written once. A *stream* of sealed bytes is cut into *packs*; the [`Fanout`] writes each pack to all stores at once,
//! and the *manifest* last. What a store could not take, or lost, is *owed* to it: written down in the *spool*, paid by
//! the synchroniser when the store is back.
//!
//! Promises: a manifest is in a store only after all its packs are, read back; memory does not grow with the number or
//! the slowness of stores; nothing that is read is given out before its digest is found right, and what is damaged or
//! missing in one store comes from the next, in the configured order.
//!
//! How they are used:
//!
//! ```ignore
//! let stores = Stores::open(&config.backup, None)?;            // or Stores::of(vec![(name, store)], settings)
//!
//! // Writing. `Fanout::write` waits when the stores are slow: that is the back-pressure.
//! let mut fanout = stores.fanout(folder);                      // folder: BackupFolder {cluster, class, id}
//! fanout.begin("dump")?;                                       // name of a stream
//! fanout.write(bytes).await?;                                  // Bytes of any size
//! let packs: Vec<Pack> = fanout.end().await?;                  // {object, size_bytes, sha256}: for the manifest
//! let commit: Commit = fanout.commit(manifest_bytes).await?;   // {held_by, owed_to, counts}
//! // `fanout.abandon().await` instead leaves nothing behind; so does dropping it, as far as the stores answer.
//! // From a blocking thread: `StreamWriter::new(fanout, handle)` is a `std::io::Write` for `Sealer`.
//!
//! // Reading.
//! let manifest = stores.get_checked(&name, bytes_max, |bytes| open_manifest(bytes)).await?;   // next store if Err
//! let file: std::fs::File = stores.fetch_pack(&pack).await?;   // whole, digest right, unlinked temporary file
//! let reader = stores.packs(packs, handle);                    // std::io::Read over all of them, one ahead
//! let found: Vec<Listed> = stores.list("v1/main/full/").await?;   // union over the stores that answer, who has what
//!
//! // Small objects (WAL segments, keys, verifications), to all stores; create-only.
//! let put: Put = stores.put(&name, bytes).await?;
//!
//! // Proof and care.
//! let health: Vec<(StoreName, Health)> = stores.inspect(&pack).await;   // Whole, Missing, Damaged, Unknown
//! stores.heal(&pack).await?;  stores.delete(&name).await;  stores.sweep(&cluster, now).await?;
//! let status: Vec<StoreStatus> = stores.status().await;
//! ```
