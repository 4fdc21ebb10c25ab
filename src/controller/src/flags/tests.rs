//! The flag table: defaults, spellings, refusals.

use super::*;

fn parse(arguments: &[&str]) -> Result<Options, Exit> {
    parse_with(arguments, None)
}

fn parse_with(arguments: &[&str], watch_namespaces: Option<&str>) -> Result<Options, Exit> {
    let line = std::iter::once("stageset-controller").chain(arguments.iter().copied());
    Options::parse(line, |name| {
        assert_eq!(name, ENV_WATCH_NAMESPACES);
        watch_namespaces.map(str::to_owned)
    })
}

fn refusal(arguments: &[&str]) -> String {
    match parse(arguments) {
        Err(Exit::Refused(line)) => {
            assert!(!line.contains('\n'), "more than one line: {line}");
            line
        }
        other => panic!("{arguments:?}: expected a refusal, got {other:?}"),
    }
}

#[test]
fn an_empty_command_line_means_the_defaults() {
    assert_eq!(parse(&[]), Ok(Options::default()));
}

#[test]
fn booleans_stand_alone_or_carry_a_value() {
    for (argument, expected) in [
        ("--leader-elect", true),
        ("--leader-elect=true", true),
        ("--leader-elect=1", true),
        ("--leader-elect=T", true),
        ("--leader-elect=false", false),
        ("--leader-elect=0", false),
    ] {
        assert_eq!(
            parse(&[argument]).unwrap().leader_elect,
            expected,
            "{argument}"
        );
    }
    assert!(refusal(&["--leader-elect=yes"]).contains("--leader-elect"));
    assert_eq!(
        parse(&["--single-tenant"]).unwrap().tenancy,
        Tenancy::Single
    );
    assert!(
        parse(&["--no-cross-namespace-refs"])
            .unwrap()
            .no_cross_namespace_refs
    );
}

#[test]
fn the_last_of_two_equal_flags_counts() {
    let options = parse(&[
        "--leader-elect",
        "--leader-elect=false",
        "--log-level=debug",
        "--log-level=warn",
    ]);
    let options = options.unwrap();
    assert!(!options.leader_elect);
    assert_eq!(options.log_level, LogLevel::Warn);
}

#[test]
fn values_follow_an_equals_sign_or_a_space() {
    let options = parse(&[
        "--metrics-bind-address=0",
        "--health-probe-bind-address",
        "127.0.0.1:9440",
        "--default-interval",
        "1h30m",
        "--max-teardown-wait=90s",
        "--inventory-shard-cap=7",
        "--max-tenant-watches=0",
        "--allow-artifact-addresses=127.0.0.0/8,::1/128",
        "--log-format=text",
        "--leader-elect-resource-name=other.stages.metio.wtf",
    ])
    .unwrap();
    assert_eq!(options.lease, "other.stages.metio.wtf");
    assert_eq!(options.metrics_bind_address, BindAddress::Off);
    assert_eq!(
        options.health_probe_bind_address,
        BindAddress::On {
            host: "127.0.0.1".to_owned(),
            port: 9440
        }
    );
    assert_eq!(options.default_interval, Duration::from_secs(5400));
    assert_eq!(options.max_teardown_wait, Duration::from_secs(90));
    assert_eq!(options.inventory_shard_cap, 7);
    assert_eq!(options.max_tenant_watches, 0);
    assert_eq!(
        options.allow_artifact_addresses,
        [
            Cidr::parse("127.0.0.0/8").unwrap(),
            Cidr::parse("::1/128").unwrap()
        ]
    );
    assert_eq!(options.log_format, LogFormat::Text);
}

#[test]
fn a_teardown_wait_of_nothing_means_an_hour() {
    let options = parse(&["--max-teardown-wait=0"]).unwrap();
    assert_eq!(options.max_teardown_wait, Duration::from_secs(3600));
}

#[test]
fn values_out_of_range_are_refused_by_the_flags_name() {
    for argument in [
        "--default-interval=0s",
        "--default-interval=-1s",
        "--default-interval=soon",
        "--max-teardown-wait=-1s",
        "--inventory-shard-cap=0",
        "--inventory-shard-cap=-1",
        "--metrics-bind-address=:70000",
        "--health-probe-bind-address=8081",
        "--allow-artifact-addresses=localhost",
        "--max-tenant-watches=-1",
        "--log-level=trace",
        "--leader-elect-resource-name=a/b",
        "--log-format=xml",
    ] {
        let name = argument.split('=').next().unwrap();
        let line = refusal(&[argument]);
        assert!(line.contains(name), "{argument}: {line}");
    }
}

#[test]
fn watched_namespaces_are_trimmed_sorted_and_checked() {
    let names = |options: Options| {
        options
            .watch_namespaces
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(parse(&["--watch-namespaces= b,, a ,b"]).unwrap()),
        ["a", "b"]
    );
    assert_eq!(names(parse_with(&[], Some("c, d")).unwrap()), ["c", "d"]);
    assert_eq!(
        names(parse_with(&["--watch-namespaces=a"], Some("c")).unwrap()),
        ["a"]
    );
    assert_eq!(
        names(parse_with(&["--watch-namespaces= , "], Some("")).unwrap()),
        [""; 0]
    );
    assert!(refusal(&["--watch-namespaces=a/b"]).contains("--watch-namespaces"));
    let from_environment = parse_with(&[], Some("Nope")).unwrap_err();
    assert!(matches!(from_environment, Exit::Refused(line) if line.contains(ENV_WATCH_NAMESPACES)));
}

#[test]
fn namespaces_leave_a_list_that_they_are_not_in() {
    let leave = |value: &str| {
        let options = parse(&[
            "--watch-namespaces=a",
            &format!("--leave-namespaces={value}"),
        ]);
        options.unwrap().leave
    };
    let named = |name: &str| Namespace::new(name).unwrap();
    assert_eq!(
        leave(" c,, b ,c"),
        Leave::Namespaces(vec![named("b"), named("c")])
    );
    assert_eq!(leave(" * "), Leave::AllOthers);
    assert_eq!(leave(" , "), Leave::Nothing);
    assert_eq!(parse(&["--leave-namespaces="]), Ok(Options::default()));
    for (arguments, words) in [
        (&["--leave-namespaces=b"][..], "--watch-namespaces"),
        (&["--leave-namespaces=*"], "--watch-namespaces"),
        (
            &["--watch-namespaces=a,b", "--leave-namespaces=c,b"],
            "b stands in",
        ),
        (
            &["--watch-namespaces=a", "--leave-namespaces=*,b"],
            "--leave-namespaces",
        ),
        (
            &["--watch-namespaces=a", "--leave-namespaces=b/c"],
            "--leave-namespaces",
        ),
    ] {
        let line = refusal(arguments);
        assert!(line.contains(words), "{arguments:?}: {line}");
    }
}

#[test]
fn unknown_flags_and_arguments_are_refused() {
    assert!(refusal(&["--colour"]).contains("--colour"));
    assert!(refusal(&["extra"]).contains("extra"));
}

#[test]
fn every_unsupported_flag_is_refused_by_name() {
    for name in unsupported::names() {
        let as_switch = parse(&[&format!("--{name}")]);
        let as_value = parse(&[&format!("--{name}=1")]);
        for answer in [as_switch, as_value] {
            match answer {
                Err(Exit::Refused(line)) => assert!(line.contains(&format!("--{name}")), "{line}"),
                other => panic!("--{name}: {other:?}"),
            }
        }
    }
    assert_eq!(
        refusal(&["--enable-mcp"]),
        "--enable-mcp is not supported by this version; leave it out or write --enable-mcp=false"
    );
}

#[test]
fn off_values_of_unsupported_flags_are_accepted() {
    let options = parse(&[
        "--enable-mcp=false",
        "--object-level-kms=false",
        "--require-verified-migration-sources=false",
        "--rollback-store-path=",
    ]);
    assert_eq!(options, Ok(Options::default()));
}

#[test]
fn the_webhook_is_on_and_its_flags_belong_together() {
    assert_eq!(parse(&["--enable-webhook=false"]).unwrap().webhook, None);
    let webhook = parse(&[
        "--webhook-cert-mode=self-signed",
        "--webhook-host=127.0.0.1",
        "--webhook-port=10250",
        "--webhook-cert-validity=24h",
        "--webhook-service-name=hook",
        "--webhook-service-namespace=system",
        "--webhook-validating-config-name=stageset-controller.system.release",
    ]);
    assert_eq!(
        webhook.unwrap().webhook,
        Some(WebhookOptions {
            address: BindAddress::On {
                host: "127.0.0.1".to_owned(),
                port: 10250
            },
            certificate: CertificateSource::SelfSigned(SelfSigned {
                validity: Duration::from_secs(24 * 3600),
                service_name: "hook".to_owned(),
                service_namespace: Some(Namespace::new("system").unwrap()),
                configuration: "stageset-controller.system.release".to_owned(),
            }),
        })
    );
    let self_signed = "--webhook-cert-mode=self-signed";
    let name = "--webhook-validating-config-name=x";
    for (arguments, named) in [
        (vec![self_signed], "--webhook-validating-config-name"),
        (
            vec![self_signed, "--webhook-validating-config-name=a/b"],
            "--webhook-validating-config-name",
        ),
        (
            vec![self_signed, name, "--webhook-cert-validity=1s"],
            "--webhook-cert-validity",
        ),
        (
            vec![self_signed, name, "--webhook-cert-validity=0"],
            "--webhook-cert-validity",
        ),
        (
            vec![self_signed, name, "--webhook-service-name=A.b"],
            "--webhook-service-name",
        ),
        (
            vec![self_signed, name, "--webhook-service-namespace=a.b"],
            "--webhook-service-namespace",
        ),
        (vec!["--webhook-cert-mode=vault"], "--webhook-cert-mode"),
        (vec!["--webhook-cert-dir="], "--webhook-cert-dir"),
        (vec!["--webhook-port=0"], "--webhook-port"),
        (vec!["--webhook-port=65536"], "--webhook-port"),
    ] {
        let line = refusal(&arguments);
        assert!(line.contains(named), "{arguments:?}: {line}");
    }
    // What is off isn't checked.
    assert!(parse(&[self_signed, "--enable-webhook=false"]).is_ok());
}

#[test]
fn spans_go_where_the_flags_say() {
    assert_eq!(parse(&["--tracing-endpoint="]), Ok(Options::default()));
    // What is off needs no collector.
    let off = parse(&["--tracing-insecure", "--tracing-sample-ratio=0.5"]);
    assert_eq!(off, Ok(Options::default()));
    let on = parse(&["--tracing-endpoint=collector.tracing:4317"]).unwrap();
    let tracing = on.tracing.unwrap();
    assert_eq!(tracing.collector.to_string(), "collector.tracing:4317");
    assert!(!tracing.insecure);
    assert_eq!(tracing.ratio, SampleRatio::ALL);
    let on = parse(&[
        "--tracing-endpoint=[::1]:4317",
        "--tracing-insecure=true",
        "--tracing-sample-ratio=0.25",
    ]);
    let tracing = on.unwrap().tracing.unwrap();
    assert!(tracing.insecure);
    assert!((tracing.ratio.get() - 0.25).abs() < f64::EPSILON);
    for bad in [
        "--tracing-endpoint=http://collector:4317",
        "--tracing-endpoint=collector",
        "--tracing-endpoint=collector:0",
        "--tracing-insecure=maybe",
        "--tracing-sample-ratio=1.5",
        "--tracing-sample-ratio=NaN",
        "--tracing-sample-ratio=",
    ] {
        let flag = bad.split('=').next().unwrap();
        let line = refusal(&[bad]);
        assert!(line.contains(flag), "{bad}: {line}");
    }
}

#[test]
fn help_and_version_are_told() {
    assert!(matches!(parse(&["--help"]), Err(Exit::Told(text)) if text.contains("--leader-elect")));
    assert!(
        matches!(parse(&["--version"]), Err(Exit::Told(text)) if text.contains("stageset-controller"))
    );
}
