//! Asks one question of a world in a file, and prints the explanation: `ask WORLD.json FROM TO [PROTOCOL PORT]`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example talks to people and reads a file")]

use plimsoll_net::{Network, Question, WorldFile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, from, to, rest @ ..] = words.as_slice() else { return Err("ask WORLD.json FROM TO [PROTOCOL PORT]".into()) };
    let world = WorldFile::parse(&std::fs::read_to_string(file)?)?;
    let world = world.world();
    let network = Network::compile(&world);
    let mut question = Question::new(from.parse()?, to.parse()?);
    if let [protocol, port, ..] = rest {
        let protocol = plimsoll_net::Protocol::parse(protocol).flatten().ok_or("no such protocol")?;
        question = question.on(protocol, port.parse()?);
    }
    println!("{}", network.explain(&question));
    println!("{}", serde_json::to_string_pretty(&network.reach(&question))?);
    if let Some(exposure) = network.exposure(to) {
        println!("{}", serde_json::to_string_pretty(&exposure)?);
        println!("{}", serde_json::to_string_pretty(&network.egress(to))?);
        println!("{}", serde_json::to_string_pretty(&network.sources_of(to, plimsoll_net::Protocol::TCP, question.port.unwrap_or(443)))?);
    }
    Ok(())
}
