//! Names that are made to last, and folders that went meanwhile.

use super::*;
use crate::progress::Quiet;
use crate::store::tests::file;

/// A reader may take the folder along with the files, and somebody else may have put them there.
#[tokio::test]
async fn names_are_made_to_last_wherever_there_are_any() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let sealed = ["day/one.csv", "day/two.csv"].map(|path| file(home.path(), path, b"rows\n"));
    let both = sealed.iter().collect::<Vec<_>>();
    let sink = Folder::new(&out, "out").unwrap();
    sink.persist(&both).await.unwrap();
    for file in &sealed {
        assert!(matches!(sink.put(file, ".part", &Quiet).await.unwrap(), Put::Stored));
    }
    for sink in [sink, Folder::new(&out, "out").unwrap()] {
        sink.persist(&both).await.unwrap();
    }
    fs::remove_dir_all(&out).unwrap();
    fs::write(&out, "").unwrap();
    let sink = Folder::new(&out, "out").unwrap();
    sink.persist(&both).await.unwrap();
}
