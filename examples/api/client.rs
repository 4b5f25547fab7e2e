//! Stands for the world outside: as much of HTTP as it takes to ask this server something.

use std::io;
use std::net::SocketAddr;

use bgt_examples::workflow::Result;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;

/// A connection that is used again and again.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: BufReader::new(TcpStream::connect(server).await?) })
    }

    /// The status and the body of the answer.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Result<(u16, String)> {
        let length = body.len();
        let request = format!("POST {path} HTTP/1.1\r\nHost: bgt\r\nContent-Length: {length}\r\n\r\n{body}");
        self.stream.write_all(request.as_bytes()).await?;
        let (status, length) = self.head().await?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok((status, String::from_utf8(body)?))
    }

    async fn head(&mut self) -> Result<(u16, usize)> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).ok_or("the server closed the connection")?.parse()?;
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse()?;
                }
                Some(_) => {}
                None => return Ok((status, length)),
            }
        }
    }

    /// The lines of an answer that has no end yet, such as server-sent events.
    pub(crate) async fn follow(mut self, path: &str) -> Result<Lines<BufReader<TcpStream>>> {
        // By version 1.0 the answer comes as it is, and ends with the connection.
        self.stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: bgt\r\n\r\n").as_bytes()).await?;
        match self.head().await? {
            (200, _) => Ok(self.stream.lines()),
            (status, _) => Err(format!("{path} is answered {status}").into()),
        }
    }
}
