use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server that answers every request of each connection with the next list of pieces, with a short pause between them.
async fn server(connections: Vec<Vec<Vec<&'static [u8]>>>) -> (Client, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        for answers in connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            for pieces in answers {
                let mut request = [0; 1024];
                let got = stream.read(&mut request).await.unwrap();
                assert_eq!(&request[..got], REQUEST);
                for piece in pieces {
                    stream.write_all(piece).await.unwrap();
                    sleep(Duration::from_millis(5)).await;
                }
            }
        }
    });
    let limits = Limits {
        timeout: Duration::from_millis(300),
        max_response: 100_000,
    };
    (Client::new(Endpoint::parse(&url).unwrap(), limits), task)
}

#[tokio::test]
async fn an_answer_may_come_in_pieces_cut_anywhere() {
    let whole: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello";
    let answers = (1..whole.len())
        .step_by(3)
        .map(|cut| vec![&whole[..cut], &whole[cut..]])
        .collect();
    let (mut client, task) = server(vec![answers]).await;
    for _ in (1..whole.len()).step_by(3) {
        let response = client.send(REQUEST).await.unwrap();
        assert_eq!((response.status, response.body), (200, &b"hello"[..]));
    }
    task.await.unwrap();
}

#[tokio::test]
async fn chunks_are_joined_wherever_they_are_cut() {
    let whole: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n";
    let answers: Vec<_> = (40..whole.len())
        .map(|cut| vec![&whole[..cut], &whole[cut..]])
        .collect();
    let count = answers.len();
    let (mut client, task) = server(vec![answers]).await;
    for _ in 0..count {
        assert_eq!(client.send(REQUEST).await.unwrap().body, b"abc0123456789");
    }
    task.await.unwrap();
}

#[tokio::test]
async fn answers_without_a_body_and_announcements_are_understood() {
    let (mut client, _task) = server(vec![vec![
        vec![b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"],
        vec![b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n"],
    ]])
    .await;
    assert_eq!(client.send(REQUEST).await.unwrap().status, 204);
    assert_eq!(client.send(REQUEST).await.unwrap().status, 503);
}

#[tokio::test]
async fn a_closed_connection_is_opened_again() {
    let once: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1";
    let until_end: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it";
    let (mut client, _task) = server(vec![vec![vec![once]], vec![vec![until_end]], vec![vec![once]]]).await;
    for expected in [&b"1"[..], b"all of it", b"1"] {
        assert_eq!(client.send(REQUEST).await.unwrap().body, expected);
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_slow_answer_ends_in_a_timeout_and_the_next_is_not_mixed_up_with_it() {
    let ok: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (mut client, _task) = server(vec![vec![vec![ok], vec![&ok[..30]]], vec![vec![ok]]]).await;
    assert_eq!(client.send(REQUEST).await.unwrap().body, b"ok");
    // The server waits for the next connection already, so only the first half of this answer arrives. The
    // server closes the connection, so the incomplete answer is an error.
    assert!(matches!(client.send(REQUEST).await, Err(ClientError::Io(_))));
    assert_eq!(client.send(REQUEST).await.unwrap().body, b"ok");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let limits = Limits {
        timeout: Duration::from_millis(30),
        ..Limits::default()
    };
    let mut client = Client::new(endpoint, limits);
    assert!(matches!(client.send(REQUEST).await, Err(ClientError::Timeout)));
}

#[tokio::test]
async fn too_large_and_malformed_answers_are_errors() {
    let (mut client, _task) = server(vec![
        vec![vec![b"HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n"]],
        vec![vec![b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"]],
        vec![vec![b"SSH-2.0-OpenSSH\r\n\r\n"]],
        vec![vec![b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"]],
    ])
    .await;
    assert!(matches!(
        client.send(REQUEST).await,
        Err(ClientError::TooLarge(100_000))
    ));
    for _ in 0..3 {
        assert!(matches!(client.send(REQUEST).await, Err(ClientError::Malformed(_))));
    }
}
