use std::{fs, io::Write as _, path::Path};

use super::*;

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, ".crew/tasks.jsonl", "{\"a\":1}\n{\"b\":2}\n{\"c\":");
    write(root, ".crew/memory/评审员.jsonl", "{\"content\":\"记住\"}");
    write(root, ".crew/cron.yaml", "schedules: []\n");
    write(root, ".crew/lanes/x.lock", "");
    write(root, ".crew/tasks.jsonl.lock", "1");
    write(root, ".crew/.cron.yaml.new-0198b2f04d5e7c3a9b1f2e3d4c5b6a79", "half");
    write(root, "private/employees/a/employee.yaml", "name: a\n");
    write(root, "src/main.rs", "not part of it");
    folder
}

fn names(manifest: &Manifest) -> Vec<&str> {
    manifest.files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn what_a_project_cannot_make_again_comes_back() {
    let (from, to) = (project(), tempfile::tempdir().unwrap());
    let archive = to.path().join("a.tar.gz");
    let made = back_up(from.path(), Some(&archive), None).unwrap();
    let expected = [
        ".crew/tasks.jsonl",
        ".crew/cron.yaml",
        ".crew/memory/评审员.jsonl",
        "private/employees/a/employee.yaml",
    ];
    assert_eq!(names(&made.manifest), expected);
    assert_eq!(made.archive_bytes, fs::metadata(&archive).unwrap().len());
    assert_eq!(verify(&archive).unwrap(), made.manifest);

    let restored = restore(&archive, to.path(), false).unwrap();
    assert_eq!(restored.kept, Vec::<std::path::PathBuf>::new());
    let read = |name: &str| fs::read_to_string(to.path().join(name)).unwrap();
    assert_eq!(read(".crew/tasks.jsonl"), "{\"a\":1}\n{\"b\":2}\n", "a line being written is no record");
    assert_eq!(read(".crew/memory/评审员.jsonl"), "{\"content\":\"记住\"}", "one that lacks its end is");
    let left: Vec<_> = fs::read_dir(to.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "the archive and two folders: {left:?}");
}

#[test]
fn what_is_there_is_refused_or_kept() {
    let (from, to) = (project(), project());
    let archive = from.path().join("a.tar.gz");
    back_up(from.path(), Some(&archive), None).unwrap();
    write(to.path(), ".crew/cron.yaml", "mine");
    assert_eq!(rehearse(&archive, to.path()).unwrap().in_the_way.len(), 2);
    let refused = restore(&archive, to.path(), false).unwrap_err().to_string();
    assert!(refused.contains("is there already; `--force`"), "{refused}");
    let restored = restore(&archive, to.path(), true).unwrap();
    assert_eq!(fs::read_to_string(restored.kept[0].join("cron.yaml")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(to.path().join(".crew/cron.yaml")).unwrap(), "schedules: []\n");
}

#[test]
fn what_looks_like_a_lock_and_is_none_comes_back_too() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in [".crew/uv.lock", ".crew/a/.env.new-keys", "private/a/poetry.lock", "private/x.jsonl.lock"] {
        write(from.path(), name, name);
    }
    write(from.path(), ".crew/memory/a.jsonl.lock", "1");
    let archive = from.path().join("a.tar.gz");
    let made = back_up(from.path(), Some(&archive), None).unwrap();
    let left: Vec<_> = made.left_out.iter().map(|left| left.path.as_str()).collect();
    assert_eq!((made.manifest.files.len(), left), (4, vec![".crew/memory/a.jsonl.lock"]), "{made:?}");
    restore(&archive, to.path(), false).unwrap();
    assert_eq!(fs::read_to_string(to.path().join(".crew/uv.lock")).unwrap(), ".crew/uv.lock");

    // A folder with nothing else in it is somebody's, one with locks of crew is nobody's.
    let other = tempfile::tempdir().unwrap();
    write(other.path(), ".crew/tasks.jsonl.lock", "1");
    assert_eq!(rehearse(&archive, other.path()).unwrap().in_the_way, Vec::<std::path::PathBuf>::new());
    write(other.path(), "private/poetry.lock", "mine");
    assert_eq!(rehearse(&archive, other.path()).unwrap().in_the_way, [other.path().join("private")]);
}

#[test]
fn a_project_is_exchanged_whole_or_not_at_all() {
    let (to, staged) = (project(), project());
    write(staged.path(), ".crew/cron.yaml", "theirs");
    write(staged.path(), "private/employees/a/employee.yaml", "theirs");
    // The second folder cannot be moved: something else has the name it is to be kept under.
    write(to.path(), "private.before-now/x", "older");
    let folders = || FOLDERS.into_iter();
    let refused = restore::exchange(to.path(), staged.path(), folders(), "now").unwrap_err();
    let told = format!("{refused:#}");
    assert!(told.starts_with("nothing was restored, all is where it was: cannot move `"), "{told}");
    let read = |name: &str| fs::read_to_string(to.path().join(name)).unwrap();
    assert_eq!(read(".crew/cron.yaml"), "schedules: []\n");
    assert_eq!(read("private/employees/a/employee.yaml"), "name: a\n");
    assert!(!to.path().join(".crew.before-now").try_exists().unwrap());
    assert_eq!(fs::read_to_string(staged.path().join(".crew/cron.yaml")).unwrap(), "theirs");

    fs::remove_dir_all(to.path().join("private.before-now")).unwrap();
    let kept = restore::exchange(to.path(), staged.path(), folders(), "now").unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(read(".crew/cron.yaml"), "theirs");
}

#[test]
fn a_project_at_work_is_left_alone() {
    let (from, to) = (project(), project());
    let archive = from.path().join("a.tar.gz");
    back_up(from.path(), Some(&archive), None).unwrap();
    let _server = crate::store::OwnerLock::acquire(&to.path().join(".crew/tasks.jsonl")).unwrap();
    let refused = restore(&archive, to.path(), true).unwrap_err().to_string();
    assert_eq!(refused, "a server works on this project; end it first");
    assert!(to.path().join(".crew/cron.yaml").try_exists().unwrap());
}

#[test]
fn every_damage_is_found_and_changes_nothing() {
    let (from, to) = (project(), tempfile::tempdir().unwrap());
    let archive = from.path().join("a.tar.gz");
    let made = back_up(from.path(), Some(&archive), None).unwrap();
    let whole = fs::read(&archive).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&archive, bytes).unwrap();
        let refused = restore(&archive, to.path(), false).is_err();
        refused && fs::read_dir(to.path()).unwrap().count() == 0
    };
    for cut in 0..whole.len() {
        assert!(refused(&whole[..cut]), "cut at {cut}");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&archive, damaged).unwrap();
        // A few bits mean nothing: in the header of gzip, and behind its last symbol.
        let found = verify(&archive);
        assert!(found.as_ref().map_or(true, |read| *read == made.manifest), "damaged at {at}: {found:?}");
    }
}

#[test]
fn nothing_is_written_outside_the_project() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["../x", "/tmp/x", ".crew/../../x", "src/x", ".crew", "private\\x", ".crew/a/../b", "x"] {
        let archive = folder.path().join("evil.tar.gz");
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
            fs::File::create(&archive).unwrap(),
            flate2::Compression::fast(),
        ));
        let mut put = |name: &str, text: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Regular);
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(text.len() as u64);
            header.set_mode(0o777);
            header.set_cksum();
            tar.append(&header, text).unwrap();
        };
        put(name, b"x");
        let manifest = Manifest {
            format: FORMAT,
            crew: String::new(),
            created_at: crate::base::clock::now(),
            files: vec![Entry {
                path: name.to_owned(),
                bytes: 1,
                sha256: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881".to_owned(),
            }],
        };
        put(MANIFEST, &serde_json::to_vec(&manifest).unwrap());
        tar.into_inner().unwrap().finish().unwrap().flush().unwrap();
        let to = folder.path().join("project");
        fs::create_dir_all(&to).unwrap();
        let refused = restore(&archive, &to, true).unwrap_err();
        assert!(format!("{refused:#}").contains("leads out of the project"), "{name}: {refused:#}");
        assert_eq!(fs::read_dir(&to).unwrap().count(), 0, "{name}");
    }
}
