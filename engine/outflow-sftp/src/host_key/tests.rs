//! What a server may show, by pins and by known_hosts.

use super::*;

/// A key of a kind, different for each `seed`.
fn blob(kind: &str, seed: u8) -> Vec<u8> {
    [&(kind.len() as u32).to_be_bytes(), kind.as_bytes(), &[0, 0, 0, 32], &[seed; 32]].concat()
}

fn line(hosts: &str, kind: &str, seed: u8) -> String {
    format!("{hosts} {kind} {} comment\n", STANDARD.encode(blob(kind, seed)))
}

fn hashed(name: &str) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(b"salt").unwrap().chain_update(name).finalize().into_bytes();
    format!("|1|{}|{}", STANDARD.encode("salt"), STANDARD.encode(mac))
}

#[test]
fn known_hosts_are_read_as_openssh_does() {
    let ed = |hosts: &str| line(hosts, "ssh-ed25519", 1);
    let cases = [
        ("sftp.example.com", 22, ed("sftp.example.com"), true),
        ("SFTP.Example.com", 22, ed("sftp.example.com"), true),
        ("sftp.example.com", 22, ed("other.example.com,sftp.example.com,10.0.0.1"), true),
        ("sftp.example.com", 22, ed("*.example.com"), true),
        ("sftp.example.com", 22, ed("*.example.com,!sftp.example.com"), false),
        ("sftp.example.com", 22, ed("sft?.example.com"), true),
        ("sftp.example.com", 22, ed(&hashed("sftp.example.com")), true),
        ("sftp.example.com", 22, ed(&hashed("other")), false),
        ("sftp.example.com", 2222, ed("sftp.example.com"), false),
        ("sftp.example.com", 2222, ed("[sftp.example.com]:2222"), true),
        ("sftp.example.com", 2222, ed(&hashed("[sftp.example.com]:2222")), true),
        ("sftp.example.com", 22, String::new(), false),
        ("sftp.example.com", 22, format!("# {}", ed("sftp.example.com")), false),
        // Changed, and only of another kind.
        ("sftp.example.com", 22, line("sftp.example.com", "ssh-ed25519", 2), false),
        ("sftp.example.com", 22, line("sftp.example.com", "ssh-rsa", 1), false),
        // One of two.
        ("sftp.example.com", 22, line("sftp.example.com", "ssh-rsa", 1) + &ed("sftp.example.com"), true),
        // Revoked, wherever the line stands.
        ("sftp.example.com", 22, ed("sftp.example.com") + "@revoked " + &ed("*"), false),
        ("sftp.example.com", 22, format!("@revoked {}{}", ed("*"), ed("sftp.example.com")), false),
        // An authority vouches for certificates only.
        ("sftp.example.com", 22, format!("@cert-authority {}", ed("*")), false),
    ];
    for (host, port, text, accepted) in cases {
        let trusted = known(&text, &name_of(host, port), "`known_hosts`").unwrap();
        let checked = trusted.check(&blob("ssh-ed25519", 1));
        assert_eq!(checked.is_ok(), accepted, "{host}:{port} in {text}: {checked:?}");
        assert!(checked.is_ok() || checked.is_err_and(|error| error.kind() == Kind::HostKey));
    }
    let broken = known("sftp.example.com ssh-ed25519 AAAA!\n", "sftp.example.com", "`known_hosts`").unwrap_err();
    assert!(broken.to_string().contains("line 1"), "{broken}");
}

#[test]
fn a_file_that_cannot_be_read_refuses_every_server() {
    let missing = HostKeys::KnownHosts("/nowhere/known_hosts".into());
    let error = missing.of("sftp.example.com", 22).unwrap_err();
    assert_eq!(error.kind(), Kind::HostKey);
    assert!(error.to_string().contains("/nowhere/known_hosts"), "{error}");
}

#[test]
fn pins_are_fingerprints_or_keys() {
    let shown = blob("ssh-ed25519", 1);
    let good = [fingerprint(&shown), format!("{}=", fingerprint(&shown)), line("", "ssh-ed25519", 1)];
    for pin in good {
        HostKeys::Pinned(vec![pin]).of("any", 1).unwrap().check(&shown).unwrap();
    }
    let other = HostKeys::Pinned(vec![fingerprint(&blob("ssh-ed25519", 2))]).of("any", 1).unwrap();
    let error = other.check(&shown).unwrap_err();
    assert!(error.to_string().contains(&fingerprint(&shown)), "says what to compare: {error}");
    for bad in ["", "SHA256:", "SHA256:abc", "MD5:00:11", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-rsa AAAA"] {
        assert_eq!(HostKeys::Pinned(vec![bad.to_owned()]).check().unwrap_err().kind(), Kind::Setup, "{bad:?}");
    }
}

#[test]
fn kinds_that_are_known_are_asked_for_first() {
    let trusted = known(&line("a", "ssh-rsa", 1), "a", "").unwrap();
    assert_eq!(trusted.kinds()[..3], ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]);
    assert_eq!(Trusted::default().kinds().len(), 6);
}
