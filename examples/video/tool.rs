//! The two ways to work on a video: ffmpeg, and the stand-in. Each step is a command; nothing is run here.

use std::fmt;
use std::path::{Path, PathBuf};

use bgt_examples::workflow::{Result, need_python, script};
use bgt_orchestrator::streaming::ProgressFrom;
use bgt_orchestrator::{Command, Progress};

/// What does the work.
pub(crate) enum Tool {
    Ffmpeg,
    StandIn,
}

impl Tool {
    /// ffmpeg, if it is there and wanted.
    pub(crate) async fn find(is_stand_in_wanted: bool) -> Result<Self> {
        if !is_stand_in_wanted && Command::new("ffmpeg").plan().await.is_ok() {
            return Ok(Self::Ffmpeg);
        }
        need_python(&script("video.py")).await?;
        Ok(Self::StandIn)
    }

    /// The name of a clip's file.
    pub(crate) fn file(&self, name: &str) -> String {
        match self {
            Self::Ffmpeg => format!("{name}.mkv"),
            Self::StandIn => format!("{name}.y4m"),
        }
    }

    /// A clip of so many frames.
    pub(crate) fn make(&self, clip: &Path, frames: u64, seed: u32) -> Command {
        match self {
            Self::Ffmpeg => {
                let source = format!("testsrc2=size=320x180:rate=25,hue=h={}", 40 * seed);
                let frames = frames.to_string();
                ffmpeg().args(["-f", "lavfi", "-i", &source, "-frames:v", &frames]).args(lossless()).arg(clip)
            }
            Self::StandIn => {
                let numbers = [frames.to_string(), seed.to_string()];
                script("video.py").arg("make").arg(clip).args(numbers)
            }
        }
    }

    /// The same at half the size.
    pub(crate) fn encode(&self, raw: &Path, clip: &Path) -> Command {
        match self {
            Self::Ffmpeg => {
                ffmpeg().arg("-i").arg(raw).args(["-vf", "scale=iw/2:ih/2"]).args(encoder()).arg(clip)
            }
            Self::StandIn => script("video.py").arg("encode").arg(raw).arg(clip),
        }
    }

    /// One film of all clips, in which each frame is blended with the one before.
    pub(crate) fn join(&self, clips: &[PathBuf], film: &Path) -> Command {
        match self {
            Self::Ffmpeg => {
                let mut join = ffmpeg();
                for clip in clips {
                    join = join.arg("-i").arg(clip);
                }
                let filter = format!("concat=n={}:v=1:a=0,tmix=frames=2", clips.len());
                join.args(["-filter_complex", &filter]).args(encoder()).arg(film)
            }
            Self::StandIn => script("video.py").arg("join").arg(film).args(clips),
        }
    }
}

fn ffmpeg() -> Command {
    // A question would have nobody to answer it.
    Command::new("ffmpeg").args(["-nostdin", "-y", "-v", "error", "-nostats", "-progress", "pipe:1"])
}

fn lossless() -> [&'static str; 2] {
    ["-c:v", "ffv1"]
}

/// One that every ffmpeg has.
fn encoder() -> [&'static str; 4] {
    ["-c:v", "mpeg4", "-q:v", "4"]
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ffmpeg => "ffmpeg",
            Self::StandIn => "a stand-in for ffmpeg in Python, which works on raw grey frames",
        })
    }
}

/// Both say how far they are by lines such as `frame=120`.
pub(crate) fn progress(total: u64) -> ProgressFrom {
    ProgressFrom::with(move |line| Some(Progress::of(frame(&line.text())?, total).message("frames")))
}

/// The number of the frame that a line tells of.
pub(crate) fn frame(line: &str) -> Option<u64> {
    line.strip_prefix("frame=")?.trim().parse().ok()
}
