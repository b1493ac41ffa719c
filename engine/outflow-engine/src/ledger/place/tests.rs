//! File systems that are refused, and names that show no password.

use super::*;

#[test]
fn network_file_systems_are_known() {
    let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                  40 22 0:50 / /data rw,relatime shared:1 - nfs4 host:/x rw\n\
                  41 40 8:2 / /data/local\\040disk rw - xfs /dev/sdb rw\n\
                  42 22 0:51 / /mnt/far rw - fuse.sshfs a@b:/ rw\n";
    for (folder, wanted) in [
        ("/var/lib/x", None),
        ("/data/state", Some("nfs4")),
        ("/data/local disk/state", None),
        ("/data/localx", Some("nfs4")),
        ("/mnt/far", Some("fuse.sshfs")),
    ] {
        assert_eq!(network_system(mounts, Path::new(folder)), wanted, "{folder}");
    }
}

#[test]
fn the_name_of_a_server_holds_no_secret() {
    let of = |url: &str| postgres(&PostgresLedger { url: Secret::new(url) });
    assert_eq!(
        of("postgres://me:hush@db.example:6432/led?sslmode=require").unwrap().1,
        "postgres://db.example:6432/led"
    );
    for wrong in ["mysql://me:hush@db/x", "me:hush@db", "postgres:hush"] {
        assert!(!of(wrong).unwrap_err().to_string().contains("hush"));
    }
}
