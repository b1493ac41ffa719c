//! Which folders are synced, and when.

use super::*;
use crate::progress::Quiet;
use crate::store::tests::file;

/// Each folder with a new name in it is synced once, however many names it got. A file of a process that died is found
/// by reading it: nobody knows whether its folders were synced.
#[tokio::test]
async fn folders_with_new_names_wait_for_their_sync() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let sink = Folder::new(&out, "out").unwrap();
    let waiting = |sink: &Folder| lock(&sink.unsynced).iter().cloned().collect::<Vec<_>>();
    let sealed = ["day/one.csv", "day/two.csv"].map(|path| file(home.path(), path, b"rows\n"));
    for file in &sealed {
        assert!(matches!(sink.put(file, ".part", &Quiet).await.unwrap(), Put::Stored));
        assert_eq!(sink.compare(file, Trust::Spool).await.unwrap(), Proof::Same);
    }
    let all = [out.clone(), out.join("day")];
    assert_eq!(waiting(&sink), all);
    sink.persist().await.unwrap();
    assert_eq!(sink.compare(&sealed[0], Trust::Spool).await.unwrap(), Proof::Same);
    assert!(waiting(&sink).is_empty());

    let next = Folder::new(&out, "out").unwrap();
    assert_eq!(next.compare(&sealed[0], Trust::Nothing).await.unwrap(), Proof::Same);
    assert_eq!(waiting(&next), all);
    fs::remove_dir_all(&out).unwrap();
    let error = next.persist().await.unwrap_err().to_string();
    assert!(error.contains("syncing") && error.contains("out"), "{error}");
}
