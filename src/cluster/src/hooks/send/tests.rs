use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server on loopback that answers each path with a fixed text, and remembers what it was asked.
async fn server(
    answers: impl Fn(&str, SocketAddr) -> String + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            loop {
                let text = String::from_utf8_lossy(&request).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head.lines().find_map(|line| {
                        line.to_ascii_lowercase()
                            .strip_prefix("content-length: ")?
                            .parse()
                            .ok()
                    });
                    if body.len() >= length.unwrap_or(0) {
                        break;
                    }
                }
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                if read == 0 {
                    break;
                }
                request.extend_from_slice(&buffer[..read]);
            }
            let text = String::from_utf8(request).unwrap();
            let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = answers(&path, address);
            heard.lock().unwrap().push(text);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, asked)
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn redirect(status: u16, to: &str) -> String {
    format!(
        "HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn resolver(address: &str) -> Resolve {
    let address = SocketAddr::new(address.parse().unwrap(), 0);
    Arc::new(move |_| Box::pin(async move { Ok(vec![address]) }))
}

fn hooks(hosts: &[&str], open: &str, resolve: Resolve) -> HttpHooks {
    let hosts = AllowedHosts::parse(hosts.iter().copied()).unwrap();
    HttpHooks::with_resolver(hosts, AddressPolicy::parse(open).unwrap(), resolve).unwrap()
}

fn call(url: String) -> HookCall {
    HookCall {
        url,
        method: Method::Post,
        headers: Vec::new(),
        idempotency_key: "key-1".into(),
        body: Some(Bytes::from_static(b"{\"a\":1}")),
        holds_secrets: false,
        expected: Vec::new(),
        timeout: Duration::from_secs(10),
    }
}

fn secret(url: String) -> HookCall {
    HookCall {
        headers: vec![("Authorization".into(), b"Bearer canary-token".to_vec())],
        holds_secrets: true,
        ..call(url)
    }
}

#[tokio::test]
async fn a_request_arrives_as_it_was_written() {
    let (address, asked) = server(|_, _| answer("204 No Content", "")).await;
    let hooks = hooks(&["127.0.0.1"], "127.0.0.0/8", resolver("127.0.0.1"));
    assert_eq!(
        hooks
            .send(secret(format!("http://{address}/deploy?x=1")))
            .await,
        Ok(())
    );
    let asked = asked.lock().unwrap();
    let request = asked[0].to_lowercase();
    assert!(
        asked[0].starts_with("POST /deploy?x=1 HTTP/1.1"),
        "{request}"
    );
    for part in [
        "authorization: bearer canary-token",
        "idempotency-key: key-1",
        "content-type: application/json",
        "{\"a\":1}",
    ] {
        assert!(request.contains(part), "{part}: {request}");
    }
}

#[tokio::test]
async fn answers_are_judged() {
    let (address, _) = server(|path, _| match path {
        "/404" => answer("404 Not Found", "no such hook"),
        "/429" => answer("429 Too Many Requests", ""),
        "/408" => answer("408 Request Timeout", ""),
        "/503" => answer("503 Service Unavailable", &"x".repeat(100_000)),
        "/202" => answer("202 Accepted", ""),
        "/loop" => redirect(307, "/loop"),
        "/nowhere" => "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".into(),
        "/302" => redirect(302, "/202"),
        _ => String::new(),
    })
    .await;
    let hooks = hooks(&[], "127.0.0.0/8", resolver("127.0.0.1"));
    let url = |path: &str| format!("http://{address}{path}");
    let retried = FailureClass::Transient { retry_after: None };
    for (path, class, said) in [
        (
            "/404",
            FailureClass::Terminal,
            "404 Not Found: no such hook",
        ),
        ("/429", retried.clone(), "429"),
        ("/408", retried.clone(), "408"),
        ("/503", retried.clone(), "503 Service Unavailable: xxx"),
        ("/loop", retried.clone(), "more than 10 redirects"),
        ("/nowhere", retried.clone(), "without saying where to"),
        ("/cut", retried.clone(), ""),
    ] {
        let failure = hooks.send(call(url(path))).await.unwrap_err();
        assert_eq!(failure.class, class, "{path}: {failure}");
        assert!(failure.message.contains(said), "{path}: {failure}");
        assert!(
            failure.message.len() < 700,
            "{path}: {} bytes",
            failure.message.len()
        );
        assert!(
            !failure.message.contains(path),
            "paths of hooks are often keys: {failure}"
        );
    }
    let mut wants = call(url("/202"));
    wants.expected = vec![200, 201];
    assert!(hooks.send(wants).await.unwrap_err().message.contains("202"));
    let mut wants = call(url("/404"));
    wants.expected = vec![404];
    assert_eq!(hooks.send(wants).await, Ok(()));
    let mut wants = call(url("/302"));
    wants.expected = vec![302];
    assert_eq!(
        hooks.send(wants).await,
        Ok(()),
        "a redirect that is expected isn't followed"
    );
    assert_eq!(hooks.send(call(url("/302"))).await, Ok(()));
}

#[tokio::test]
async fn redirects_keep_method_and_body_only_as_http_says() {
    let (address, asked) = server(|path, _| match path {
        "/307" => redirect(307, "/end"),
        "/303" => redirect(303, "/end"),
        "/301" => redirect(301, "/end"),
        _ => answer("200 OK", ""),
    })
    .await;
    let hooks = hooks(&[], "127.0.0.0/8", resolver("127.0.0.1"));
    for (path, then) in [("/307", "POST"), ("/303", "GET"), ("/301", "GET")] {
        asked.lock().unwrap().clear();
        assert_eq!(
            hooks.send(call(format!("http://{address}{path}"))).await,
            Ok(())
        );
        let asked = asked.lock().unwrap();
        assert!(
            asked[1].starts_with(&format!("{then} /end")),
            "{path}: {}",
            asked[1]
        );
        assert_eq!(asked[1].contains("{\"a\":1}"), then == "POST", "{path}");
    }
}

#[tokio::test]
async fn attack_a18_special_addresses_are_refused_on_every_hop() {
    let (address, asked) = server(|path, _| match path {
        "/meta" => redirect(307, "http://169.254.169.254/latest/meta-data"),
        "/name" => redirect(307, "http://rebound.example/x"),
        "/file" => redirect(307, "file:///etc/passwd"),
        _ => answer("200 OK", ""),
    })
    .await;
    // Names resolve to loopback, which only the literal address of the test's server opens.
    let open = format!("{}/32", address.ip());
    let rebound = hooks(&[], &open, resolver("169.254.169.254"));
    for path in ["/meta", "/name", "/file"] {
        let failure = rebound
            .send(call(format!("http://{address}{path}")))
            .await
            .unwrap_err();
        assert_eq!(failure.class, FailureClass::Terminal, "{path}: {failure}");
    }
    let closed = hooks(&["*"], "", resolver("127.0.0.1"));
    let before = asked.lock().unwrap().len();
    for url in [
        format!("http://{address}/"),
        format!("http://localhost:{}/", address.port()),
        format!("http://[::ffff:127.0.0.1]:{}/", address.port()),
        format!("http://2130706433:{}/", address.port()),
        format!("http://127.1:{}/", address.port()),
        format!("http://0x7f.1:{}/", address.port()),
        "http://169.254.169.254/latest/meta-data".into(),
        "http://user:pass@hooks.example/".into(),
        "ftp://hooks.example/".into(),
    ] {
        let failure = closed.send(call(url.clone())).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Terminal, "{url}: {failure}");
    }
    let failure = closed
        .send(call(format!("http://{address}/")))
        .await
        .unwrap_err();
    assert!(
        failure.message.contains("--allow-action-addresses"),
        "{failure}"
    );
    assert_eq!(
        asked.lock().unwrap().len(),
        before,
        "a refused address was called"
    );
}

#[tokio::test]
async fn hosts_are_checked_on_every_hop() {
    let (address, asked) = server(|path, address| match path {
        "/away" => redirect(307, &format!("http://other.example:{}/end", address.port())),
        _ => answer("200 OK", ""),
    })
    .await;
    let hooks = hooks(&["hooks.example"], "127.0.0.0/8", resolver("127.0.0.1"));
    let port = address.port();
    assert_eq!(
        hooks
            .send(call(format!("http://hooks.example:{port}/")))
            .await,
        Ok(())
    );
    for path in [
        "http://other.example/",
        &format!("http://hooks.example:{port}/away"),
    ] {
        let failure = hooks.send(call(path.to_owned())).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Terminal, "{path}");
        assert!(
            failure.message.contains("--allowed-action-hosts"),
            "{failure}"
        );
    }
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn attack_a19_secret_material_goes_to_no_other_host() {
    let (other, stolen) = server(|_, _| answer("200 OK", "")).await;
    let to = other.port();
    let (address, _) = server(move |path, address| match path {
        "/host" => redirect(307, &format!("http://thief.example:{}/", address.port())),
        "/port" => redirect(308, &format!("http://127.0.0.1:{to}/")),
        "/scheme" => redirect(307, &format!("https://127.0.0.1:{}/", address.port())),
        "/same" => redirect(307, "/end"),
        _ => answer("200 OK", ""),
    })
    .await;
    let hooks = hooks(&[], "127.0.0.0/8", resolver("127.0.0.1"));
    for path in ["/host", "/port", "/scheme"] {
        let failure = hooks
            .send(secret(format!("http://{address}{path}")))
            .await
            .unwrap_err();
        assert_eq!(failure.class, FailureClass::Terminal, "{path}: {failure}");
        assert!(
            failure.message.contains("no other host"),
            "{path}: {failure}"
        );
    }
    assert!(stolen.lock().unwrap().is_empty());
    assert_eq!(
        hooks.send(secret(format!("http://{address}/same"))).await,
        Ok(())
    );
    // Without Secret material a redirect is followed.
    assert_eq!(
        hooks.send(call(format!("http://{address}/port"))).await,
        Ok(())
    );
    assert_eq!(stolen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn attack_a21_nothing_of_a_secret_is_said() {
    let (address, _) =
        server(|_, _| answer("500 Oops", "you sent Bearer canary-token and {\"a\":1}")).await;
    let hooks = hooks(&[], "127.0.0.0/8", resolver("127.0.0.1"));
    let failure = hooks
        .send(secret(format!("http://{address}/")))
        .await
        .unwrap_err();
    assert!(!failure.message.contains("canary"), "{failure}");
    assert!(failure.message.contains("Secret material"), "{failure}");
    let mut bad = secret(format!("http://{address}/"));
    bad.headers = vec![("X-Key".into(), b"canary\nvalue".to_vec())];
    let failure = hooks.send(bad).await.unwrap_err();
    assert!(
        failure.message.contains("X-Key") && !failure.message.contains("canary"),
        "{failure}"
    );
}

#[tokio::test]
async fn an_answer_that_never_comes_is_waited_for_within_the_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hooks = hooks(&[], "127.0.0.0/8", resolver("127.0.0.1"));
    let mut slow = call(format!("http://{address}/"));
    slow.timeout = Duration::from_millis(200);
    let failure = hooks.send(slow).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient { retry_after: None });
    assert!(
        failure.message.contains("no answer within 0.2 s"),
        "{failure}"
    );
    drop(listener);
}
