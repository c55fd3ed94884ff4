//! Every secret here is put together from pieces, so that none stands in the
//! sources.
#![allow(clippy::cast_precision_loss, reason = "floats are what is compared with")]

use super::*;

/// So many characters that look drawn by chance: letters and digits.
fn random(length: usize) -> String {
    let alphabet = b"aZ4kQ9xT2mB7cR1vN8pL3wD6gH5jS0fY";
    let mut state = 7_usize;
    let mut next = || {
        state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
        char::from(alphabet[(state >> 12) % alphabet.len()])
    };
    (0..length).map(|_| next()).collect()
}

fn upper(length: usize) -> String {
    random(length).to_ascii_uppercase()
}

fn hex(length: usize) -> String {
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"[..length].to_owned()
}

fn kinds(text: &str) -> Vec<&'static str> {
    find(text).into_iter().map(|secret| secret.kind).collect()
}

#[track_caller]
fn is_found(kind: &str, before: &str, secret: &str, after: &str) {
    let text = format!("日本 {before}{secret}{after} 語\n");
    let found = find(&text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    assert_eq!((found[0].kind, &text[found[0].range.clone()]), (kind, secret), "{text}");
    let redacted = format!("日本 {before}[REDACTED {kind}]{after} 語\n");
    assert_eq!(redact(&text), redacted);
    assert_eq!(kinds(&redacted), [""; 0], "what is redacted is no secret: {redacted}");
}

#[test]
fn tokens_are_known_by_their_marks() {
    for (kind, secret) in [
        ("aws-access-key", format!("{}{}", "AK", "IA") + &upper(16)),
        ("github-token", format!("{}{}", "gh", "p_") + &random(36)),
        ("github-token", format!("{}{}", "gh", "s_") + &random(36)),
        ("github-token", format!("{}{}{}_{}", "github", "_pat_", random(22), random(59))),
        ("gitlab-token", format!("{}{}", "glp", "at-") + &random(20)),
        ("slack-token", format!("{}{}123456789012-{}", "xo", "xb-", random(24))),
        ("google-key", format!("{}{}", "AI", "za") + &random(35)),
        ("stripe-key", format!("{}{}", "sk_", "live_") + &random(24)),
        ("api-key", format!("{}{}", "sk", "-") + &random(48)),
        ("api-key", format!("{}{}", "sk", "-ant-api03-") + &random(80)),
        ("npm-token", format!("{}{}", "np", "m_") + &random(36)),
        ("pypi-token", format!("{}{}", "py", "pi-") + &random(80)),
        ("huggingface-token", format!("{}{}", "h", "f_") + &random(34)),
        ("jwt", format!("{0}JhbGciOiJIUzI1NiJ9.{0}J{1}.{1}", "ey", random(43))),
    ] {
        is_found(kind, "\"", &secret, "\"");
        is_found(kind, "+x = ", &secret, ";");
        is_found(kind, "鍵は", &secret, "です");
        assert_eq!(kinds(&format!("a{secret}")), [""; 0], "a longer word is another word");
    }
}

#[test]
fn values_are_known_by_their_names() {
    let (p, value) = ("pass", random(14));
    is_found("password", &format!("{p}word = \""), &value, "\"");
    is_found("password", &format!("\"db_{p}wd\": \""), &value, "\",");
    is_found("password", &format!("\\\"{p}word\\\": \\\""), &value, "\\\",");
    is_found("password", "API_KEY=", &value, "");
    is_found("password", "api-key: '", &value, "'");
    is_found("password", "let secret_key = b\"", &value, "\";");
    is_found("password", "config['token'] := `", &value, "`");
    is_found("password", "パスワード：「", &value, "」");
    is_found("password", "client_secret: ", &hex(40), "");
    is_found("password", "| notes token=", &value, "<br>more |");
    let aws = random(40);
    is_found("aws-secret-key", "aws_secret_access_key = ", &aws, "");
    is_found("aws-secret-key", "\"SecretAccessKey\": \"", &aws, "\"");
    is_found("account-key", "AccountName=a;AccountKey=", &(random(86) + "=="), ";");
    is_found("url-password", "postgres://ada:", &random(9), "@db.local/x");
    is_found("url-password", "redis://:", &random(9), "@cache:6379");
    is_found("bearer-token", "Authorization: Bearer ", &random(40), "");
}

#[test]
fn private_keys_are_found_with_their_marks() {
    let (begin, end) = ("-----BEGIN RSA PRIVATE", "-----END RSA PRIVATE");
    let lines = |mark: &str, end: &str| -> String {
        let lines: Vec<_> = (0..6).map(|_| [mark, &random(64), end].concat()).collect();
        lines.concat()
    };
    let key = format!("{begin} KEY-----\n{}{end} KEY-----", lines("", "\n"));
    is_found("private-key", "x\n", &key, "\ny");
    let diff = format!("{begin} KEY-----\n{}+{end} KEY-----", lines("+", "\n"));
    is_found("private-key", "+", &diff, "\n");
    let json = format!("{begin} KEY-----\\n{}{end} KEY-----", lines("", "\\n"));
    is_found("private-key", "{\"key\": \"", &json, "\\n\"}");
    // The end or the beginning was cut off.
    let open = format!("a {begin} KEY-----\n{}", lines("", "\n"));
    assert_eq!(redact(&open), "a [REDACTED private-key]");
    let tail = format!("{}{end} KEY-----\nb", lines("", "\n"));
    assert_eq!(redact(&format!("log\n{}", &tail[10..])), "log\n[REDACTED private-key]\nb");
    // Two keys are two, also where the first has no end.
    let two = format!("{begin} KEY-----\n{}{key}", lines("", "\n"));
    assert_eq!(kinds(&two), ["private-key"; 2]);
    // Who speaks of the marks has no key.
    for text in [
        "",
        "\n...\n",
        "\nxxxxxxxxxxxxxxxxxxxxxxxx\n",
        " or nothing, and getUserAuthenticationToken() ",
    ] {
        assert_eq!(kinds(&format!("{begin} KEY-----{text}{end} KEY-----")), [""; 0], "{text}");
    }
}

#[test]
fn what_stands_for_a_secret_is_none() {
    let (p, aws) = ("pass", format!("{}{}", "AK", "IA"));
    let token = format!("{}{}", "gh", "p_");
    for value in [
        "CHANGEME",
        "changeme123",
        "REDACTED1",
        "xxxxxxxx1234",
        "********",
        "<your-token-1>",
        "${DB_PASSWORD_1}",
        "{{token_1}}",
        "$DB_PASSWORD1",
        "your-token1-here",
        "00000000",
        "aaaaaaaaaaaa",
        "not-a-real-1-example",
        "${{secrets.TOKEN1}}",
        "next_token_2",
        "config.v2.token",
        "2026-01-01T09:00:00Z",
        "https://a1.b2/c3?d=e",
        "read_token(2)",
        "1763712000000",
        "password",
        "short1",
    ] {
        for text in [format!("{p}word = \"{value}\""), format!("TOKEN={value}\n")] {
            assert_eq!(kinds(&text), [""; 0], "{text}");
        }
    }
    for text in [
        format!("{aws}IOSFODNN7EXAMPLE"),
        format!("{token}{}", "x".repeat(36)),
        format!("{token}<36 characters>"),
        format!("commit {}", hex(40)),
        format!("sha256: {}", hex(64)),
        format!("\"token_sha256\": \"{}\"", hex(64)),
        "id = \"123e4567-e89b-12d3-a456-426614174000\"".to_owned(),
        "postgres://ada:<password>@db, ssh://git@host:22/x, http://a/b:c@d".to_owned(),
        "postgres://ada:${PW}@db".to_owned(),
        "task-0123456789abcdefghijklmnop risk-sk-short1".to_owned(),
        "let token = sha256sum; secret = next(token2);".to_owned(),
        "パスワード：別紙のとおり。token とは何か".to_owned(),
        "Bearer token required, see section 2.1".to_owned(),
    ] {
        assert_eq!(find(&text), [], "{text}");
    }
}

#[test]
fn found_twice_is_one_secret() {
    let text = format!("token = \"{}{}{}\"", "gh", "p_", random(36));
    assert_eq!(kinds(&text), ["github-token"]);
    let text = format!("{}{}{}@h", "https://x:gl", "pat-", random(20));
    assert_eq!(kinds(&text), ["gitlab-token"]);
    assert!(matches!(redact("nothing here"), Cow::Borrowed("nothing here")));
}

/// Were any of these quadratic, nobody would wait for the end of this test.
#[test]
fn time_grows_with_the_text_and_no_faster() {
    let begin = "-----BEGIN RSA PRIVATE";
    let line = format!("{}\n", random(40));
    for piece in [
        &format!("{begin} KEY-----"),
        "-----END PRIVATE KEY-----",
        "token=",
        "passwordpassword",
        "://a:b",
        "sk-a",
        "ey.ey",
        "password=\"aaaaaaa",
        &line,
        "日本語",
    ] {
        let half = piece.repeat((1 << 19) / piece.len());
        assert_eq!(find(&half), [], "{piece}");
    }
    let many = line.repeat(1 << 14) + &"-----END PRIVATE KEY-----".repeat(1 << 14);
    assert_eq!(find(&many)[0].range.start, 0);
    let many = format!("token=\"{}\" ", random(12)).repeat(1 << 14);
    assert_eq!(find(&many).len(), 1 << 14);
}

/// Every way in which up to 28 bytes can repeat, and each three and seven times as
/// long, which changes no entropy.
#[test]
fn whole_numbers_and_floats_tell_the_same_entropy() {
    fn partitions(
        left: usize,
        most: usize,
        counts: &mut Vec<usize>,
        see: &mut dyn FnMut(&[usize]),
    ) {
        if left == 0 {
            return see(counts);
        }
        for count in (1..=left.min(most)).rev() {
            counts.push(count);
            partitions(left - count, count, counts, see);
            counts.pop();
        }
    }
    let entropy = |counts: &[usize]| {
        let length = counts.iter().sum::<usize>() as f64;
        counts.iter().map(|c| *c as f64 / length).map(|part| -part * part.log2()).sum::<f64>()
    };
    let (mut mixed, mut ties, mut all) = (0, 0, 0);
    for length in 1..=28 {
        partitions(length, length, &mut Vec::new(), &mut |counts| {
            let exact = entropy(counts);
            // What is 2.5 may come out a little below it as a float.
            let expected = exact >= 2.5 - 1e-9;
            for times in [1, 3, 7] {
                let repeat = |(kind, count): (u8, &usize)| vec![b'!' + kind; count * times];
                let text: Vec<u8> = (0..).zip(counts).flat_map(repeat).collect();
                let text = String::from_utf8(text).unwrap();
                assert_eq!(is_mixed(&text), expected, "{exact}: {text}");
            }
            all += 1;
            mixed += usize::from(expected);
            ties += usize::from((exact - 2.5).abs() < 1e-9);
        });
    }
    assert!(mixed > 5_000 && all - mixed > 5_000 && ties > 5, "{mixed} of {all}, {ties} ties");
}

#[test]
fn logarithms_are_those_of_floats() {
    for n in (1..5000).chain((1..64).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]))
    {
        let exact = (n as f64).log2() * f64::from(1 << LOG_BITS);
        let off = log2(n) as f64 - exact;
        assert!((-1.5..=1e-3).contains(&off), "{n}: {off}");
    }
}
