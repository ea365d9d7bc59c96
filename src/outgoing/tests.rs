//! What is connected to, and what is made of answers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

fn loopback() -> Outgoing {
    Outgoing::new(&["127.0.0.0/8".parse().expect("a network")]).expect("TLS can be set up")
}

/// A server that answers each connection with this text, as it is.
async fn answering(text: &'static str) -> (Location, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/hook?of=mine", listener.local_addr().expect("it has an address"));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 4_096];
            let _ = tcp.read(&mut request).await;
            let _ = tcp.write_all(text.as_bytes()).await;
        }
    });
    (loopback().locate(&url).expect("a place"), serving)
}

async fn post(client: &Outgoing, to: &Location) -> Result<Answer, OutgoingError> {
    client.post(to, &[("webhook-id", "evt_1".to_owned())], Bytes::from_static(b"{}")).await
}

#[test]
fn only_places_that_may_be_reached_are_taken() {
    let strict = Outgoing::new(&[]).expect("TLS can be set up");
    for url in ["https://example.com", "https://example.com:8443/a?b=c", "https://1.1.1.1/", "https://[2606:4700::1]/"]
    {
        assert!(strict.locate(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "example.com",
        "ftp://example.com",
        "http://example.com",
        "https://",
        "https://user@example.com",
        "https://user:secret@example.com",
        "https://example.com/#part",
        "https://example.com/a b",
        "https://example.com\n",
        "https://127.0.0.1",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://169.254.169.254/latest",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://[::ffff:10.0.0.1]:8443/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[0:0:0:0:0:ffff:c0a8:1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1%25eth0]/",
        "https://:secret@example.com/",
        "https://example.com%40127.0.0.1@1.1.1.1/",
        "https://1.1.1.1\\@127.0.0.1/",
        "https://example.com/#",
        "https://example.com:65536/",
        "https://example.com:/",
        "https://[2606:4700::1]:99999/",
        "https:///hook",
        "//example.com/",
        "file:///etc/passwd",
        "unix:/run/docker.sock",
        "gopher://example.com/",
    ] {
        assert!(strict.locate(url).is_err(), "{url}");
    }
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    assert!(strict.locate(&long).is_err());
    assert!(loopback().locate("http://127.0.0.1:1/").is_ok());
    assert!(loopback().locate("https://10.0.0.1/").is_err());
}

#[tokio::test]
async fn an_answer_is_its_status_and_for_how_long_to_wait() {
    let in_7_s = RetryAfter::For(Duration::from_secs(7));
    let then = RetryAfter::Until("1999-12-31T23:59:59Z".parse().expect("a time"));
    for (text, status, retry_after) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", 302, None),
        ("HTTP/1.1 429 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", 429, Some(in_7_s)),
        ("HTTP/1.1 503 No\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\ncontent-length: 0\r\n\r\n", 503, Some(then)),
        ("HTTP/1.1 500 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", 500, None),
    ] {
        let (to, _serving) = answering(text).await;
        assert_eq!(post(&loopback(), &to).await, Ok(Answer { status, retry_after }), "{text}");
    }
}

#[test]
fn how_long_to_wait_is_said_in_seconds_or_by_a_date() {
    let now: DateTime<Utc> = "1999-12-31T23:00:00Z".parse().expect("a time");
    let wait = |text: &str| {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().expect("a value"))]);
        retry_after(StatusCode::SERVICE_UNAVAILABLE, &headers)?.wait(now)
    };
    let in_an_hour = Some(Duration::from_hours(1));
    // The form that is written, and the two that are read as well.
    for date in ["Sat, 01 Jan 2000 00:00:00 GMT", "Saturday, 01-Jan-00 00:00:00 GMT", "Sat Jan  1 00:00:00 2000"] {
        assert_eq!(wait(date), in_an_hour, "{date}");
    }
    assert_eq!(wait(" 3600 "), in_an_hour);
    assert_eq!(wait("0"), Some(Duration::ZERO));
    let far = wait("Fri, 31 Dec 9999 23:59:59 GMT").expect("it is to wait");
    assert!(far > Duration::from_hours(24 * 365 * 7_999), "{far:?}");
    for over in ["Fri, 31 Dec 1999 23:00:00 GMT", "Fri, 31 Dec 1999 22:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        assert_eq!(wait(over), None, "{over}");
    }
    for garbage in [
        "",
        "-1",
        "1.5",
        "soon",
        "99999999999999999999",
        "Sat, 01 Jan 2000",
        "Sat, 32 Jan 2000 00:00:00 GMT",
        "Fri, 31 Dec 1969 23:59:59 GMT",
        "Sat, 01 Jan 2000 00:00:00 +0100",
        "Sat, 01 Jan 10000 00:00:00 GMT",
    ] {
        assert_eq!(wait(garbage), None, "{garbage}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_from_what_is_not_there() {
    for text in ["", "HTTP/1.1 200", "no answer at all\r\n\r\n"] {
        let (to, _serving) = answering(text).await;
        assert!(matches!(post(&loopback(), &to).await, Err(OutgoingError::NoAnswer(_))), "{text}");
    }
    let (to, mut serving) = answering("").await;
    serving.shutdown().await;
    assert!(matches!(post(&loopback(), &to).await, Err(OutgoingError::Unreachable(_))));
}

#[tokio::test]
async fn a_name_is_judged_by_the_address_that_is_connected_to() {
    let strict = Outgoing::new(&[]).expect("TLS can be set up");
    let to = strict.locate("https://localhost:1/").expect("a name may be anything");
    assert_eq!(post(&strict, &to).await, Err(OutgoingError::Refused));
    let other = Outgoing::new(&["10.0.0.0/8".parse().expect("a network")]).expect("TLS can be set up");
    let to = other.locate("http://localhost:1/").expect("a name may be anything");
    assert_eq!(post(&other, &to).await, Err(OutgoingError::Refused));
}

#[tokio::test]
async fn an_address_written_in_another_way_is_judged_as_what_it_is() {
    let strict = Outgoing::new(&[]).expect("TLS can be set up");
    for host in ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.1", "0", "LOCALHOST"] {
        let to = strict.locate(&format!("https://{host}:1/")).expect("a name may be anything");
        assert_eq!(post(&strict, &to).await, Err(OutgoingError::Refused), "{host}");
    }
    // Whether this one is found depends on the machine.
    let to = strict.locate("https://localhost.:1/").expect("a name may be anything");
    assert!(post(&strict, &to).await.is_err());
}

#[tokio::test]
async fn of_a_name_with_several_addresses_only_those_are_connected_to_that_may_be() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let here = listener.local_addr().expect("it has an address");
    let at = |host: &str| format!("{host}:{}", here.port()).parse::<SocketAddr>().expect("an address");
    let private = ["[::1]", "[::ffff:10.0.0.1]", "10.0.0.1", "0.0.0.0", "169.254.169.254"].map(at);
    let strict = Outgoing::new(&[]).expect("TLS can be set up");
    for is_tls in [true, false] {
        let mut all = private.to_vec();
        all.push(here);
        assert_eq!(strict.connect_to(&all, is_tls).await.map(drop), Err(OutgoingError::Refused));
        // Of others none is even tried, which would take until the deadline.
        let connected = loopback().connect_to(&all, is_tls).await.expect("it may be reached");
        assert_eq!(connected.peer_addr().expect("there is one"), here);
        // It is the same, if this machine knows IPv6.
        let mapped = loopback().connect_to(&[at("[::ffff:127.0.0.1]")], is_tls).await;
        assert!(!matches!(mapped, Err(OutgoingError::Refused)), "{mapped:?}");
    }
    // Without TLS, what is public may not be reached either.
    assert_eq!(strict.connect_to(&[at("1.1.1.1")], false).await.map(drop), Err(OutgoingError::Refused));
    assert_eq!(strict.connect_to(&[], true).await.map(drop), Err(OutgoingError::Refused));
}

/// Sends this for ever as the answer to the only request, and says what came of that.
async fn flooded(client: &Outgoing, head: &'static str, again: &'static str) -> Result<Answer, OutgoingError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
    let flooding = async {
        let (mut tcp, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 4_096];
        let _ = tcp.read(&mut request).await;
        let _ = tcp.write_all(head.as_bytes()).await;
        while tcp.write_all(again.as_bytes()).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    let to = client.locate(&url).expect("a place");
    tokio::select! { answer = post(client, &to) => answer, () = flooding => unreachable!() }
}

#[tokio::test]
async fn an_answer_without_end_is_none_or_read_no_further() {
    let client = loopback();
    for (head, again) in [
        ("HTTP/1.1 200 OK\r\n", "x-more: and more\r\n"),
        ("HTTP/1.1 200 OK\r\nx: ", "aaaaaaaaaaaaaaaa"),
        ("", "aaaaaaaaaaaaaaaa"),
    ] {
        // Long before the deadline: the head has more bytes than are held.
        let answer = tokio::time::timeout(Duration::from_secs(10), flooded(&client, head, again)).await;
        assert!(matches!(answer, Ok(Err(OutgoingError::NoAnswer(_)))), "{head:?}: {answer:?}");
    }
    for (head, again) in [
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "4\r\nabcd\r\n"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "abcd"),
        ("HTTP/1.1 200 OK\r\n\r\n", "abcd"),
    ] {
        assert_eq!(flooded(&client, head, again).await, Ok(Answer { status: 200, retry_after: None }), "{head:?}");
    }
    // One hint after the other is no answer.
    let impatient = Outgoing { deadline: Duration::from_secs(1), ..loopback() };
    let hints = flooded(&impatient, "", "HTTP/1.1 103 Early Hints\r\n\r\n").await;
    assert!(matches!(hints, Err(OutgoingError::NoAnswer(_))), "{hints:?}");
    assert_eq!(client.pool.waiting() + impatient.pool.waiting(), 0);
}

#[tokio::test]
async fn nothing_is_unpacked_and_no_other_protocol_is_spoken() {
    let packed = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 6\r\n\r\nH4sIAA";
    let (to, _serving) = answering(packed).await;
    let (answer, body) = loopback().ask(&to, &[], Bytes::from_static(b"{}")).await.expect("an answer");
    assert_eq!((answer.status, &*body), (200, &b"H4sIAA"[..]));
    for text in [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let (to, _serving) = answering(text).await;
        let client = Outgoing { deadline: Duration::from_secs(1), ..loopback() };
        let answer = post(&client, &to).await;
        assert!(!matches!(answer, Ok(Answer { status: 200..=299, .. })), "{text}: {answer:?}");
        assert_eq!(client.pool.waiting(), 0, "{text}");
    }
}

#[tokio::test]
async fn a_body_that_dribbles_is_left_after_a_moment() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
    let dribbling = async {
        let (mut tcp, _) = listener.accept().await.expect("a connection");
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n").await;
        while tcp.write_all(b"a").await.is_ok() {
            pace.tick().await;
        }
        std::future::pending::<()>().await;
    };
    let client = loopback();
    let to = client.locate(&url).expect("a place");
    let begun = std::time::Instant::now();
    let answer = tokio::select! { answer = post(&client, &to) => answer, () = dribbling => unreachable!() };
    assert_eq!(answer, Ok(Answer { status: 200, retry_after: None }));
    assert!(begun.elapsed() < DEADLINE && client.pool.waiting() == 0);
}

#[tokio::test]
async fn an_answer_that_dribbles_is_none_after_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
    let dribbling = async {
        let (mut tcp, _) = listener.accept().await.expect("a connection");
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        for byte in b"HTTP/1.1 200 OK\r\nx: ".iter().chain(std::iter::repeat(&b'a')) {
            pace.tick().await;
            if tcp.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let client = Outgoing { deadline: Duration::from_secs(1), ..loopback() };
    let to = client.locate(&url).expect("a place");
    let answer = tokio::select! { answer = post(&client, &to) => answer, () = dribbling => unreachable!() };
    assert_eq!(answer, Err(OutgoingError::NoAnswer("no answer within 1 s".to_owned())));
}

/// A server that answers each request with 200 and then closes the connection after `requests` of them. Returns how many
/// connections there were.
async fn keeping(requests: usize) -> (Location, Arc<std::sync::atomic::AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
    let connections = Arc::<std::sync::atomic::AtomicUsize>::default();
    let (mut serving, counted) = (JoinSet::new(), connections.clone());
    serving.spawn(async move {
        let mut each = JoinSet::new();
        loop {
            let (mut tcp, _) = listener.accept().await.expect("a connection");
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            each.spawn(async move {
                for _ in 0..requests {
                    let mut request = [0; 4_096];
                    if tcp.read(&mut request).await.is_ok_and(|read| read > 0) {
                        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
                    }
                }
            });
        }
    });
    (loopback().locate(&url).expect("a place"), connections, serving)
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection_until_the_other_side_closes_it() {
    let client = loopback();
    let (to, connections, _serving) = keeping(5).await;
    for n in 1..=20 {
        let (answer, body) = client.ask(&to, &[], Bytes::from_static(b"{}")).await.expect("an answer");
        assert_eq!((answer.status, &*body), (200, &b"{}"[..]), "request {n}");
    }
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 4, "five requests each");
    assert_eq!(post(&loopback(), &to).await.expect("an answer").status, 200);
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 5, "another client has its own");
}

#[tokio::test]
async fn few_connections_wait_for_the_next_request() {
    let client = loopback();
    let (to, connections, _serving) = keeping(1_000).await;
    let posts = (0..3 * pool::PER_PLACE).map(|_| post(&client, &to));
    assert!(futures_util::future::join_all(posts).await.iter().all(Result::is_ok));
    let (there_were, waiting) = (connections.load(std::sync::atomic::Ordering::SeqCst), client.pool.waiting());
    assert!(there_were > pool::PER_PLACE && waiting <= pool::PER_PLACE && waiting > 0, "{there_were}, {waiting}");
}

#[tokio::test]
async fn a_connection_whose_answer_is_long_or_breaks_off_is_not_kept() {
    let long: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n{}", "x".repeat(9_000)).into_boxed_str());
    for text in [long, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"] {
        let (to, _serving) = answering(text).await;
        let client = loopback();
        assert_eq!(post(&client, &to).await, Ok(Answer { status: 200, retry_after: None }));
        assert_eq!(client.pool.waiting(), 0);
    }
}
