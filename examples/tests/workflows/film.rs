//! The film is what the formula of its clips says, byte by byte.

use crate::Done;

const CLIPS: usize = 3;
const FRAMES: usize = 20;
const WIDTH: usize = 160;
const HEIGHT: usize = 90;

/// A pixel of a clip at half its size: the mean of four of the gradient that it was made of.
fn pixel(clip: usize, frame: usize, x: usize, y: usize) -> u8 {
    let raw = |x: usize, y: usize| (x + 2 * y + 3 * frame + 40 * clip) % 256;
    let (x, y) = (2 * x, 2 * y);
    ((raw(x, y) + raw(x + 1, y) + raw(x, y + 1) + raw(x + 1, y + 1)) / 4) as u8
}

/// All clips one after another, each frame blended with the one before.
fn film() -> Vec<u8> {
    let mut film = format!("YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 Ip A1:1 Cmono\n").into_bytes();
    let mut before: Option<Vec<u8>> = None;
    for (clip, frame) in (1..=CLIPS).flat_map(|clip| (0..FRAMES).map(move |frame| (clip, frame))) {
        let mut now: Vec<_> =
            (0..WIDTH * HEIGHT).map(|at| pixel(clip, frame, at % WIDTH, at / WIDTH)).collect();
        for (now, before) in now.iter_mut().zip(before.iter().flatten()) {
            *now = ((u16::from(*now) + u16::from(*before)) / 2) as u8;
        }
        film.extend_from_slice(b"FRAME\n");
        film.extend_from_slice(&now);
        before = Some(now);
    }
    film
}

#[test]
fn a_film_has_every_frame_of_every_clip_and_nothing_else_is_left() {
    let test = "a_film_has_every_frame_of_every_clip_and_nothing_else_is_left";
    let Some(done) = Done::small(test, "video", &["--stand-in"]) else { return };
    let (made, expected) = (std::fs::read(done.folder.path("film.y4m")).unwrap(), film());
    assert_eq!(made.len(), expected.len(), "of the film");
    let differs = made.iter().zip(&expected).position(|(made, expected)| made != expected);
    assert_eq!(differs, None, "the first byte that is another one");

    let clips = done.files("").into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "y4m"));
    assert_eq!(clips.count(), 1, "the film, and none of its clips");
    assert!(done.files("trash").is_empty(), "nothing is left of them");
    let megabytes = expected.len() as f64 / 1e6;
    let notice = format!("The film is ready: {} frames, {megabytes:.1} MB.", CLIPS * FRAMES);
    assert_eq!(done.read("outbox/film.txt"), notice);
    // Raw clips are of four times the size, and the encoded ones as long as the film.
    assert!(done.said.contains("cleaned up  4.3 MB"), "{}", done.said);
}
