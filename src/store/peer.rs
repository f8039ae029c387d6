use super::StoreError;
use redis::aio::MultiplexedConnection;
use redis::cmd;

/// The identity of a connection in Redis.
///
/// If a reply is late, its connection is abandoned, and commands on it may still be in transit. They must not be executed after what
/// their callers do next, such as a grant after its release or a value after its deletion. So Redis closes that connection before the
/// next one is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    id: u64,
    /// Compared in addition to the id, because a restarted server counts from 1 again.
    address: String,
}

impl Peer {
    /// Reads the identity of a connection; `None` if the Redis user may not.
    pub(super) async fn of(connection: &mut MultiplexedConnection) -> Result<Option<Self>, StoreError> {
        let info: Result<String, _> = cmd("CLIENT").arg("INFO").query_async(connection).await;
        match info.map_err(StoreError::classify) {
            Ok(info) => Ok(Self::read(&info)),
            Err(error @ StoreError::Lost(_)) => Err(error),
            Err(error) => {
                refused(&error);
                Ok(None)
            }
        }
    }

    fn read(info: &str) -> Option<Self> {
        let word = |name: &str| info.split_whitespace().find_map(|word| word.strip_prefix(name));
        Some(Self {
            id: word("id=")?.parse().ok()?,
            address: word("addr=")?.to_owned(),
        })
    }

    /// Lets Redis close the connection, if it is still open.
    pub(super) async fn close(&self, by: &mut MultiplexedConnection) -> Result<(), StoreError> {
        let mut kill = cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(self.id).arg("ADDR").arg(&self.address);
        match kill.query_async::<u64>(by).await.map_err(StoreError::classify) {
            Ok(_) => Ok(()),
            Err(error @ StoreError::Lost(_)) => Err(error),
            Err(error) => {
                refused(&error);
                Ok(())
            }
        }
    }
}

fn refused(error: &StoreError) {
    tracing::warn!(
        ?error,
        "the Redis user may not run CLIENT INFO and CLIENT KILL, so a command whose reply was late may be executed after the call that \
        undoes it; permit both, see \"The user of Redis\" in docs/operations.md"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_parsed_from_client_info() {
        let info = "id=12 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 fd=8 name= age=0 user=default\n";
        let peer = Peer::read(info).unwrap();
        assert_eq!((peer.id, peer.address.as_str()), (12, "127.0.0.1:50000"));
        assert_eq!(Peer::read("addr=x"), None);
    }
}
