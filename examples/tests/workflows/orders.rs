//! The pipeline's report is what the file of the orders says.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Done;

#[test]
fn a_report_has_every_order_that_is_right_and_each_cent_once() {
    let test = "a_report_has_every_order_that_is_right_and_each_cent_once";
    let Some(done) = Done::small(test, "pipeline", &[]) else { return };
    let regions = ["north", "east", "south", "west", "coast", "hills"];
    let mut cents_by_region = BTreeMap::<_, u64>::new();
    let (mut rows, mut right) = (0u64, 0u64);
    let orders = done.read("orders.csv");
    for order in orders.lines().skip(1) {
        rows += 1;
        let fields: Vec<_> = order.split(',').collect();
        let [_, day, region, quantity, cents] = fields[..] else { panic!("{order:?} has five fields") };
        let numbers = [day, quantity, cents].map(str::parse::<u64>);
        let ([Ok(1..=30), Ok(quantity), Ok(cents)], true) = (numbers, regions.contains(&region)) else {
            continue;
        };
        right += 1;
        *cents_by_region.entry(region).or_default() += quantity * cents;
    }
    assert!(right < rows, "some orders are broken");

    let report: Value = serde_json::from_str(&done.read("report.json")).unwrap();
    let all: u64 = cents_by_region.values().sum();
    assert_eq!(report["cents_by_region"], json!(cents_by_region));
    assert_eq!(report["warehouse"], json!([right, all]));
    let loaded = &report["loaded"];
    assert_eq!(
        (&loaded["rows"], &loaded["loaded"], &loaded["cents"]),
        (&json!(rows), &json!(right), &json!(all))
    );
    let rejected: u64 = loaded["rejected"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(rejected, rows - right);
}
