//! Which file a path names, and new files that are nobody else's to read.

use std::fs::{self, File};
use std::io::ErrorKind;

use bgt_sys::{create_private, create_private_folder, file_id};
use bgt_testkit::Scratch;

#[test]
fn a_file_that_takes_the_place_of_another_is_seen() {
    let scratch = Scratch::new();
    let (path, old) = (scratch.path("state"), scratch.path("old"));
    create_private(&path).unwrap();
    let id = file_id(&path).unwrap();
    assert_eq!(file_id(&path).unwrap(), id);

    fs::rename(&path, &old).unwrap();
    assert_eq!(file_id(&old).unwrap(), id);
    assert_eq!(file_id(&path).unwrap_err().kind(), ErrorKind::NotFound);

    create_private(&path).unwrap();
    assert_ne!(file_id(&path).unwrap(), id);
}

#[test]
fn a_file_that_was_removed_while_open_is_seen() {
    let scratch = Scratch::new();
    let path = scratch.path("state");
    create_private(&path).unwrap();
    let id = file_id(&path).unwrap();
    // Or the new file could get the number of the old.
    let held = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let removed = match file_id(&path) {
        Ok(_) if bgt_testkit::under_wine() => {
            let why = "Wine 8 lets a removed file be opened until the last handle is closed";
            return bgt_testkit::skip!("a_file_that_was_removed_while_open_is_seen", why);
        }
        removed => removed.expect_err("it is gone").kind(),
    };
    if cfg!(windows) && removed == ErrorKind::PermissionDenied {
        // Its removal waits for us.
        return;
    }
    assert_eq!(removed, ErrorKind::NotFound);
    create_private(&path).unwrap();
    assert_ne!(file_id(&path).unwrap(), id);
    drop(held);
}

#[test]
fn all_names_of_a_file_lead_to_the_same() {
    let scratch = Scratch::new();
    let (path, link, other) = (scratch.path("state"), scratch.path("link"), scratch.path("other"));
    create_private(&path).unwrap();
    create_private(&other).unwrap();
    fs::hard_link(&path, &link).unwrap();
    let id = file_id(&path).unwrap();
    assert_eq!(file_id(&link).unwrap(), id);
    assert_eq!(file_id(&scratch.dir().join(".").join("state")).unwrap(), id);
    assert_ne!(file_id(&other).unwrap(), id);
    assert_ne!(file_id(scratch.dir()).unwrap(), id);
    #[cfg(unix)]
    {
        let symlink = scratch.path("symlink");
        std::os::unix::fs::symlink(&path, &symlink).unwrap();
        assert_eq!(file_id(&symlink).unwrap(), id);
    }
}

#[test]
fn what_is_written_does_not_make_it_another_file() {
    let scratch = Scratch::new();
    let path = scratch.path("state");
    create_private(&path).unwrap();
    let id = file_id(&path).unwrap();
    fs::write(&path, "more").unwrap();
    assert_eq!(file_id(&path).unwrap(), id);
}

#[cfg(windows)]
#[test]
fn a_file_that_others_may_not_open_is_told_apart_too() {
    use std::os::windows::fs::OpenOptionsExt;

    let scratch = Scratch::new();
    let path = scratch.path("state");
    create_private(&path).unwrap();
    let id = file_id(&path).unwrap();
    let held = File::options().read(true).write(true).share_mode(0).open(&path).unwrap();
    File::open(&path).expect_err("nobody else may open it");
    assert_eq!(file_id(&path).unwrap(), id);
    drop(held);
}

#[test]
fn what_exists_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.path("state");
    create_private(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
    fs::write(&path, "precious").unwrap();
    let id = file_id(&path).unwrap();
    assert_eq!(create_private(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(file_id(&path).unwrap(), id);
    let nowhere = scratch.path("no such folder").join("state");
    assert_eq!(create_private(&nowhere).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_folder_that_exists_is_told_apart_from_one_that_is_new() {
    let scratch = Scratch::new();
    let path = scratch.path("folder");
    create_private_folder(&path).unwrap();
    create_private(&path.join("state")).unwrap();
    assert_eq!(create_private_folder(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(path.join("state").exists());
    let nowhere = scratch.path("no such folder").join("folder");
    assert_eq!(create_private_folder(&nowhere).unwrap_err().kind(), ErrorKind::NotFound);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_use_a_private_folder() {
    use std::os::unix::fs::PermissionsExt;

    let scratch = Scratch::new();
    let path = scratch.path("folder");
    create_private_folder(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_use_a_private_file() {
    use std::os::unix::fs::PermissionsExt;

    let scratch = Scratch::new();
    let path = scratch.path("state");
    create_private(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
}

#[cfg(unix)]
#[test]
fn nothing_is_created_behind_a_link() {
    let scratch = Scratch::new();
    let (link, target) = (scratch.path("link"), scratch.path("target"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert_eq!(create_private(&link).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(!target.exists());
    assert_eq!(file_id(&link).unwrap_err().kind(), ErrorKind::NotFound);
}
