//! The best model is as good as it is said to be, and a Ctrl-C reaches the script politely.

use serde::Deserialize;

use crate::Done;

#[derive(Deserialize)]
struct Model {
    hidden: Vec<[f64; 3]>,
    out: Vec<f64>,
    bias: f64,
}

impl Model {
    fn is_second_moon(&self, x: f64, y: f64) -> bool {
        let hidden = self.hidden.iter().map(|[a, b, c]| (a * x + b * y + c).tanh());
        self.bias + hidden.zip(&self.out).map(|(h, out)| h * out).sum::<f64>() > 0.0
    }
}

#[test]
fn the_best_model_is_as_good_as_it_is_said_to_be_and_each_notice_is_sent() {
    let test = "the_best_model_is_as_good_as_it_is_said_to_be_and_each_notice_is_sent";
    let Some(done) = Done::small(test, "training", &[]) else { return };
    let right = |model: &str| {
        let model: Model = serde_json::from_str(&done.read(model)).unwrap();
        let is_right = |point: &&str| {
            let numbers: Vec<f64> = point.split(',').map(|number| number.parse().unwrap()).collect();
            model.is_second_moon(numbers[0], numbers[1]) == (numbers[2] > 0.5)
        };
        done.read("test.csv").lines().filter(is_right).count()
    };
    let best = right("best.json");
    assert!(best > 170, "it has learned something: {best} of 200");
    for epoch in [10, 20, 30] {
        assert!(right(&format!("model-{epoch:04}.json")) <= best, "no other is better");
    }
    assert!(done.said.contains(&format!("{best} of 200 points, after 30 epochs")), "{}", done.said);
    assert_eq!(done.files("outbox").len(), 4, "one for each model, and one for the best");
    assert_eq!(done.read("outbox/4.txt"), format!("The best is right about {best} of 200 points."));
}

#[cfg(unix)]
#[test]
fn a_ctrl_c_lets_the_script_save_its_state_and_ends_everything() {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::process::Stdio;

    use crate::{Server, example, interrupt};

    let test = "a_ctrl_c_lets_the_script_save_its_state_and_ends_everything";
    let folder = bgt_testkit::Scratch::new();
    let Some(mut command) = example(test, "training") else { return };
    let started = command.arg("--keep").arg(folder.dir()).stderr(Stdio::piped()).spawn().unwrap();
    let mut program = Server(started);
    let mut said = BufReader::new(program.0.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("1/300"), "it has begun: {line}");
    interrupt(&program.0);

    let (mut rest, mut why) = (String::new(), String::new());
    said.read_to_string(&mut rest).unwrap();
    program.0.stderr.take().unwrap().read_to_string(&mut why).unwrap();
    assert_eq!(program.0.wait().unwrap().code(), Some(1), "{rest}{why}");
    assert!(rest.contains("Shutdown: everything came to its end"), "{rest}");
    assert!(why.starts_with("\nNot finished: "), "{why}");
    assert!(folder.path("model-stopped.json").exists(), "the script was asked before it was ended");
}
