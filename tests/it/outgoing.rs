//! Calls to other hosts, against a real HTTP server.

use crate::support::{HttpAnswer, Receiver, eventually};
use bytes::Bytes;
use fleetpulse::outgoing::{CallError, HeaderMap, Outgoing, OutgoingSettings, Reply, Url};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

fn settings() -> OutgoingSettings {
    OutgoingSettings {
        allow: "127.0.0.0/8, ::1".parse().unwrap(),
        call_timeout_ms: 500,
        ..OutgoingSettings::default()
    }
}

async fn post(outgoing: &Outgoing, url: &str) -> Result<Reply, CallError> {
    post_within(outgoing, url, None).await
}

async fn post_within(outgoing: &Outgoing, url: &str, within: Option<Duration>) -> Result<Reply, CallError> {
    let url = Url::parse(url).unwrap();
    let body = Bytes::from_static(b"{}");
    outgoing.post(&url, HeaderMap::new(), body, within).await
}

#[actix_web::test]
async fn a_call_returns_the_status_and_retry_after() {
    let receiver = Receiver::start();
    receiver.answer_with([HttpAnswer(429, vec![("retry-after", "7".to_owned())], Duration::ZERO)]);
    let outgoing = Outgoing::new(&settings()).unwrap();
    let reply = post(&outgoing, &format!("{}/hook", receiver.url)).await.unwrap();
    assert_eq!((reply.status, reply.retry_after), (429, Some(Duration::from_secs(7))));
    let received = receiver.wait_for(1).await;
    let agent = &received[0].headers["user-agent"];
    assert!(agent.starts_with("fleetpulse/"), "{agent}");
    assert_eq!((received[0].path.as_str(), received[0].body.as_str()), ("/hook", "{}"));
}

#[actix_web::test]
async fn the_status_is_the_result_even_if_the_body_is_truncated_or_endless() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    let outgoing = Outgoing::new(&OutgoingSettings {
        call_timeout_ms: 60_000,
        ..settings()
    })
    .unwrap();
    for breaks_off in [true, false] {
        let answer = async {
            let (mut client, _) = server.accept().await.unwrap();
            let mut request = [0; 1_024];
            assert!(client.read(&mut request).await.unwrap() > 0);
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nhalf";
            client.write_all(half).await.unwrap();
            // Until the other side closes the connection.
            while !breaks_off && client.write_all(b".").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let start = Instant::now();
        let (reply, ()) = tokio::join!(post(&outgoing, &url), answer);
        assert_eq!(reply.unwrap().status, 200);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}

#[actix_web::test]
async fn a_failing_redirect_target_opens_its_own_circuit() {
    let gone = TcpSocket::new_v4().unwrap();
    gone.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refusing = format!("http://{}/", gone.local_addr().unwrap());
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}/", silent.local_addr().unwrap());
    let (receiver, unwell) = (Receiver::start(), Receiver::start());
    let outgoing = Outgoing::new(&OutgoingSettings {
        circuit_failures: 1,
        redirects: 1,
        ..settings()
    })
    .unwrap();
    for target in [&refusing, &silent, &unwell.url] {
        unwell.answer_with([500]);
        let to = || HttpAnswer(307, vec![("location", target.clone())], Duration::ZERO);
        receiver.answer_with([to(), to()]);
        let failed = post(&outgoing, &receiver.url).await;
        assert!(failed.is_err() || failed.unwrap().status == 500, "{target}");
        let open = post(&outgoing, &receiver.url).await;
        assert!(matches!(open, Err(CallError::Open(_))), "{target}: {open:?}");
        assert_eq!(post(&outgoing, &receiver.url).await.unwrap().status, 204, "{target}");
    }
}

#[actix_web::test]
async fn no_call_reaches_the_internal_network_by_address_name_or_redirect() {
    let receiver = Receiver::start();
    let closed = Outgoing::new(&OutgoingSettings::default()).unwrap();
    let port = receiver.url.rsplit_once(':').unwrap().1;
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"] {
        let answer = post(&closed, &format!("http://{host}:{port}/")).await;
        assert_eq!(answer.unwrap_err(), CallError::Forbidden, "{host}");
    }
    assert!(receiver.received().is_empty());

    // Allowed redirects are followed if the settings permit it, and if they keep method and body.
    let open = Outgoing::new(&OutgoingSettings {
        redirects: 1,
        ..settings()
    })
    .unwrap();
    let to = |url: &str| HttpAnswer(307, vec![("location", url.to_owned())], Duration::ZERO);
    receiver.answer_with([to("/elsewhere")]);
    assert_eq!(post(&open, &receiver.url).await.unwrap().status, 204);
    assert_eq!(receiver.received()[1].path, "/elsewhere");
    // One is allowed, two are not: the second redirect is the answer.
    receiver.answer_with([to("/a"), to("/b")]);
    assert_eq!(post(&open, &receiver.url).await.unwrap().status, 307);
    receiver.answer_with([HttpAnswer(302, vec![("location", "/get".to_owned())], Duration::ZERO)]);
    assert_eq!(post(&open, &receiver.url).await.unwrap().status, 302);
    let before = receiver.received().len();
    for inside in ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/"] {
        receiver.answer_with([to(inside)]);
        assert_eq!(post(&open, &receiver.url).await.unwrap_err(), CallError::Forbidden);
    }
    assert_eq!(receiver.received().len(), before + 2);
    // If no redirects are followed, the redirect is the answer.
    let none = Outgoing::new(&settings()).unwrap();
    receiver.answer_with([to("/elsewhere")]);
    assert_eq!(post(&none, &receiver.url).await.unwrap().status, 307);
}

#[actix_web::test]
async fn a_host_that_does_not_answer_times_out_and_opens_its_circuit() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let outgoing = Outgoing::new(&OutgoingSettings {
        circuit_failures: 2,
        circuit_rest_ms: 300,
        call_timeout_ms: 100,
        ..settings()
    })
    .unwrap();
    for _ in 0..2 {
        let start = Instant::now();
        assert_eq!(post(&outgoing, &url).await.unwrap_err(), CallError::TimedOut);
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    assert!(matches!(post(&outgoing, &url).await.unwrap_err(), CallError::Open(_)));
    // After the pause one call may try.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(post(&outgoing, &url).await.unwrap_err(), CallError::TimedOut);
    assert!(matches!(post(&outgoing, &url).await.unwrap_err(), CallError::Open(_)));
}

#[actix_web::test]
async fn a_very_short_timeout_does_not_count_as_a_failure_of_the_host() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let outgoing = Outgoing::new(&OutgoingSettings {
        circuit_failures: 1,
        call_timeout_ms: 60_000,
        ..settings()
    })
    .unwrap();
    for within in [0, 50, 50, 1_000] {
        let within = Some(Duration::from_millis(within));
        let ended = post_within(&outgoing, &url, within).await.unwrap_err();
        assert_eq!(ended, CallError::TimedOut);
    }
    let left_alone = post(&outgoing, &url).await.unwrap_err();
    assert!(matches!(left_alone, CallError::Open(_)), "{left_alone:?}");
}

#[actix_web::test]
async fn a_failing_host_is_not_called_until_it_recovers() {
    // Bound and not listening: it refuses connections, and its port is not given to another server.
    let gone = TcpSocket::new_v4().unwrap();
    gone.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let outgoing = Outgoing::new(&OutgoingSettings {
        circuit_failures: 1,
        circuit_rest_ms: 1_000,
        ..settings()
    })
    .unwrap();
    let refused = post(&outgoing, &format!("http://{}/", gone.local_addr().unwrap()))
        .await
        .unwrap_err();
    assert!(matches!(refused, CallError::Connect(_)), "{refused:?}");

    let receiver = Receiver::start();
    receiver.answer_with([500]);
    assert_eq!(post(&outgoing, &receiver.url).await.unwrap().status, 500);
    assert!(matches!(
        post(&outgoing, &receiver.url).await.unwrap_err(),
        CallError::Open(_)
    ));
    receiver.answer_with([404, 204]);
    // Any status below 500 is an answer: the host works.
    let answer = eventually(Duration::from_secs(10), "it is called again", async || {
        post(&outgoing, &receiver.url).await.ok()
    });
    assert_eq!(answer.await.status, 404);
    assert_eq!(post(&outgoing, &receiver.url).await.unwrap().status, 204);
}
