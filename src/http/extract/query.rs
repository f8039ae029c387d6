use super::super::{Problem, QueryString};
use super::Argument;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// The parameters of the query string. A handler without this argument refuses every parameter.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// Parameters of a query string.
pub trait QueryParameters: Sized {
    /// The names of parameters that may be given once. Every other one is a 400.
    const KNOWN: &'static [&'static str];
    /// The names of parameters that may be given more than once.
    const REPEATABLE: &'static [&'static str] = &[];

    /// Reads the values.
    ///
    /// # Errors
    /// 422 for a value that is not acceptable.
    fn read(query: &QueryString<'_>) -> Result<Self, Problem>;
}

impl<T: QueryParameters> Query<T> {
    /// Parses a query string.
    ///
    /// # Errors
    /// 400 for a parameter that is unknown or wrongly repeated; 422 for a value that is not acceptable.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let query = QueryString::parse(query, T::KNOWN, T::REPEATABLE)?;
        T::read(&query).map(Self)
    }
}

impl<T: QueryParameters> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Self::parse(request.query_string()))
    }
}

impl<T: QueryParameters> Argument for Query<T> {
    const READS_QUERY: bool = true;
}

/// Any query string, which is ignored; for pages and probes, whose callers add parameters of their own.
#[derive(Debug, Clone, Copy)]
pub struct AnyQuery;

impl FromRequest for AnyQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(_request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(Self))
    }
}

impl Argument for AnyQuery {
    const READS_QUERY: bool = true;
}
