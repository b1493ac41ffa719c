//! Published vectors of digests and normalisers, and what is left alone.

use outflow_spec::transform::Normalizer::{self, Digits, E164, GmailDots, Lowercase, Nfc, StripDots, StripPlus, Trim};

use super::super::normalize::PhoneRules;
use super::*;

const SHA256_OF_HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn steps(steps: &[Normalizer]) -> Steps {
    phone(steps, true, None)
}

fn phone(steps: &[Normalizer], plus: bool, country: Option<&str>) -> Steps {
    Steps::new(steps.to_vec(), PhoneRules { plus, country: country.map(Into::into) })
}

fn digester(algorithm: HashAlgorithm, key: &str, encoding: DigestEncoding, skip_hashed: bool) -> Digester {
    Digester::new(algorithm, key.as_bytes(), encoding, steps(&[Trim, Lowercase]), skip_hashed)
}

fn one(digester: &Digester, text: &str) -> String {
    digester.digest(&StringViewArray::from(vec![text])).unwrap().value(0).into()
}

/// SIMON-5: the digest is SHA-256; the vectors are those that Meta, TikTok and X print.
#[test]
fn simon_5_sha256_of_published_vectors() {
    let sha256 = digester(HashAlgorithm::Sha256, "", DigestEncoding::Hex, false);
    let vectors = [
        ("john_smith@gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
        ("16505551212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        ("mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        ("valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        ("정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        ("janedoe@gmail.com", "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"),
        ("adsapi", "49e0be2aeccfb51a8dee4c945c8a70a9ac500cf6f5cb08112575f74db9b1470d"),
    ];
    for (text, expected) in vectors {
        assert_eq!(one(&sha256, text), expected, "{text}");
    }
}

/// SIMON-6: trimmed, in lower case, written as 64 lower-case digits; null and empty never become a digest.
#[test]
fn simon_6_text_is_trimmed_and_lowered_and_null_and_empty_stay() {
    let sha256 = digester(HashAlgorithm::Sha256, "", DigestEncoding::Hex, false);
    let column = StringViewArray::from(vec![
        Some(" \tHello\u{a0}\n"),
        None,
        Some(""),
        Some("  "),
        Some("VALÉRY"),
        Some("hello"),
    ]);
    let digests = sha256.digest(&column).unwrap();
    let digests: Vec<Option<&str>> = digests.iter().collect();
    let valery = "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c";
    let hello = Some(SHA256_OF_HELLO);
    assert_eq!(digests, [hello, None, Some(""), Some(""), Some(valery), hello]);
    assert_eq!(sha256.digest(&StringViewArray::from(Vec::<&str>::new())).unwrap().len(), 0);
    let nulls = sha256.digest(&StringViewArray::from(vec![None::<&str>; 3])).unwrap();
    assert_eq!((nulls.len(), nulls.null_count()), (3, 3));
}

#[test]
fn other_digests_and_encodings() {
    use DigestEncoding::{Base64, Hex};
    use HashAlgorithm::{HmacSha256, Md5, Sha1, Sha256};
    let cases = [
        (Sha1, "", Hex, "hello", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
        (Md5, "", Hex, "hello", "5d41402abc4b2a76b9719d911017c592"),
        (Md5, "", Base64, "hello", "XUFAKrxLKna5cZ2REBfFkg=="),
        (Sha1, "", Base64, "hello", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        // UID2 asks for Base64 of the raw digest.
        (Sha256, "", Base64, "user@example.com", "tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ="),
        // RFC 4231, test case 2.
        (
            HmacSha256,
            "Jefe",
            Hex,
            "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ];
    for (algorithm, key, encoding, text, expected) in cases {
        assert_eq!(one(&digester(algorithm, key, encoding, false), text), expected, "{text}");
    }
}

/// RFC 4231, test cases 1 and 6: a short key, and one longer than a block; neither is text.
#[test]
fn hmac_of_rfc_4231() {
    let cases: [(&[u8], &str, &str); 2] = [
        (&[0x0b; 20], "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            &[0xaa; 131],
            "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ];
    for (key, text, expected) in cases {
        let hmac = Digester::new(HashAlgorithm::HmacSha256, key, DigestEncoding::Hex, steps(&[]), false);
        assert_eq!(one(&hmac, text), expected, "{text}");
    }
}

#[test]
fn what_already_is_a_digest_is_left_alone_only_when_asked() {
    let cases = [
        (HashAlgorithm::Sha256, DigestEncoding::Hex, SHA256_OF_HELLO, true),
        (HashAlgorithm::Sha256, DigestEncoding::Hex, &SHA256_OF_HELLO.to_uppercase(), true),
        (HashAlgorithm::Sha256, DigestEncoding::Hex, &SHA256_OF_HELLO[1..], false),
        (HashAlgorithm::Sha256, DigestEncoding::Hex, &SHA256_OF_HELLO.replace('2', "g"), false),
        (HashAlgorithm::Md5, DigestEncoding::Hex, SHA256_OF_HELLO, false),
        (HashAlgorithm::Md5, DigestEncoding::Hex, "5d41402abc4b2a76b9719d911017c592", true),
        (HashAlgorithm::Md5, DigestEncoding::Base64, "XUFAKrxLKna5cZ2REBfFkg==", true),
        (HashAlgorithm::Sha256, DigestEncoding::Base64, "tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ=", true),
        (HashAlgorithm::Sha256, DigestEncoding::Base64, "tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ!", false),
    ];
    for (algorithm, encoding, text, kept) in cases {
        assert_eq!(one(&digester(algorithm, "", encoding, true), text) == text, kept, "{text}");
        assert_ne!(one(&digester(algorithm, "", encoding, false), text), text);
    }
}

#[test]
fn normalisers() {
    let us = |plus| phone(&[E164], plus, Some("1"));
    let belgium = |plus| phone(&[E164], plus, Some("32"));
    let cases = [
        (steps(&[]), " A ", " A "),
        (steps(&[Trim]), "\u{2003} A\u{3000}", "A"),
        (steps(&[Lowercase]), "ÀÉ ΟΔΟΣ İ", "àé οδος i\u{307}"),
        (steps(&[Nfc]), "e\u{301}", "é"),
        (steps(&[Nfc]), "é", "é"),
        (steps(&[StripDots]), "j.o.h.n@mail.example.com", "john@mail.example.com"),
        (steps(&[StripDots]), "no.mail", "no.mail"),
        (steps(&[GmailDots]), "j.o.h.n@Gmail.com", "john@Gmail.com"),
        (steps(&[GmailDots]), "j.o.h.n@googlemail.com", "john@googlemail.com"),
        (steps(&[GmailDots]), "j.o.h.n@mail.gmail.com", "j.o.h.n@mail.gmail.com"),
        (steps(&[StripPlus]), "john+news+x@example.com", "john@example.com"),
        (steps(&[StripPlus]), "1+1", "1+1"),
        (steps(&[Lowercase, Trim, StripPlus, StripDots]), " J.Doe+X@Example.Com ", "jdoe@example.com"),
        (steps(&[Digits]), "+32 (0)475/12.34.56", "320475123456"),
        (steps(&[Digits]), "none", ""),
        (us(true), "(650) 555-1212", "+16505551212"),
        (us(true), "1 650 555 1212", "+16505551212"),
        (us(false), "+1 (650) 555-1212", "16505551212"),
        (belgium(true), "0475 12 34 56", "+32475123456"),
        (belgium(true), "+32 (0)475 12 34 56", "+32475123456"),
        (belgium(true), "0032 475 12 34 56", "+32475123456"),
        (belgium(false), "475123456", "32475123456"),
        (belgium(true), "+44 20 7946 0958", "+442079460958"),
        (belgium(true), "unknown", ""),
        (phone(&[E164], true, Some("39")), "06 1234 5678", "+390612345678"),
        (phone(&[E164], true, Some("36")), "06 1 234 5678", "+3612345678"),
        (phone(&[E164], true, Some("7")), "8 912 345-67-89", "+79123456789"),
        (phone(&[E164], true, None), "1 650 555 1212", "+16505551212"),
    ];
    let mut scratch = Scratch::default();
    for (steps, text, expected) in cases {
        assert_eq!(steps.apply(text, &mut scratch), expected, "{text}");
    }
}
