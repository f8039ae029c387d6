use crate::ids::Id;
use crate::store::{Link, Script, StoreError};
use std::sync::LazyLock;
use std::time::Duration;

static REGISTER: LazyLock<Script> = LazyLock::new(|| Script::new("register", "", include_str!("../lua/register.lua")));
static UNREGISTER: LazyLock<Script> =
    LazyLock::new(|| Script::new("unregister", "", include_str!("../lua/unregister.lua")));

/// Registers a queue in a set of queues. Returns false if the set has `most` other queues.
pub(in crate::jobs) async fn register(link: &Link, set: &str, queue: &Id, most: u32) -> Result<bool, StoreError> {
    let mut call = REGISTER.call(1, 3, 128);
    call.arg(set).arg(queue.as_str()).arg(most);
    link.run(&REGISTER, &call).await
}

/// Removes a queue that was not registered for a time. Returns whether it was removed.
pub(in crate::jobs) async fn unregister(
    link: &Link,
    set: &str,
    queue: &Id,
    unused: Duration,
) -> Result<bool, StoreError> {
    let mut call = UNREGISTER.call(1, 3, 128);
    call.arg(set).arg(queue.as_str()).arg(unused.as_secs());
    link.run(&UNREGISTER, &call).await
}

/// Returns up to `most` queues of a set, by name.
pub(in crate::jobs) async fn queues(link: &Link, set: &str, most: u32) -> Result<Vec<Id>, StoreError> {
    let mut cmd = redis::cmd("ZREVRANGE");
    cmd.arg(set).arg(0).arg(i64::from(most) - 1);
    // As bytes, so that a name that is not UTF-8 does not hide the others.
    let names: Vec<Vec<u8>> = link.query(&cmd).await?;
    let queue_of = |name: &Vec<u8>| Id::parse(std::str::from_utf8(name).ok()?).ok();
    let mut queues: Vec<Id> = names.iter().filter_map(queue_of).collect();
    queues.sort_unstable();
    Ok(queues)
}
