use super::super::request::no_query;
use super::super::{Problem, no_idempotency_key};
use actix_web::{FromRequest, HttpRequest, web};

/// An argument of a handler. It states whether it reads the parts of a request that are refused unless an argument reads them.
pub trait Argument: FromRequest {
    /// Whether it reads the query string.
    const READS_QUERY: bool = false;
    /// Whether it reads `Idempotency-Key`.
    const READS_KEY: bool = false;
}

/// All arguments of a handler.
pub trait Arguments {
    /// Whether one of them reads the query string.
    const READ_QUERY: bool;
    /// Whether one of them reads `Idempotency-Key`.
    const READ_KEY: bool;
}

macro_rules! arguments {
    ($($argument:ident)*) => {
        impl<$($argument: Argument),*> Arguments for ($($argument,)*) {
            const READ_QUERY: bool = false $(|| $argument::READS_QUERY)*;
            const READ_KEY: bool = false $(|| $argument::READS_KEY)*;
        }
    };
}

arguments! {}
arguments! { A }
arguments! { A B }
arguments! { A B C }
arguments! { A B C D }
arguments! { A B C D E }
arguments! { A B C D E F }

/// Refuses a query string or an `Idempotency-Key` that no argument of the handler reads.
///
/// # Errors
/// 400 for a query parameter; 422 for an `Idempotency-Key` of a call that is not idempotent, because a client that sends it would rely on
/// it.
pub fn check<A: Arguments>(request: &HttpRequest, is_idempotent: bool) -> Result<(), Problem> {
    if !A::READ_QUERY {
        no_query(request)?;
    }
    if !A::READ_KEY && !is_idempotent {
        no_idempotency_key(request)?;
    }
    Ok(())
}

impl<T: 'static> Argument for web::Data<T> {}

/// For handlers that read the request themselves. They have to refuse what they do not read.
impl Argument for HttpRequest {
    const READS_QUERY: bool = true;
    const READS_KEY: bool = true;
}

impl Argument for web::Payload {}

impl<T: serde::de::DeserializeOwned> Argument for web::Path<T> {}

#[cfg(test)]
mod tests {
    use super::super::super::{AnyQuery, Body, FromBody, IdempotencyKey, Path};
    use super::super::AppData;
    use super::*;
    use actix_web::test::TestRequest;
    use bytes::Bytes;

    struct Anything;

    impl FromBody for Anything {
        const MAX_BYTES: usize = 1;

        fn read(_: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
            Ok(Self)
        }
    }

    /// The statuses of a request with a query parameter, and of one with an `Idempotency-Key`.
    fn refusals<A: Arguments>(is_idempotent: bool) -> [Option<String>; 2] {
        let query = TestRequest::with_uri("/v1/x?limit=1").to_http_request();
        let key = TestRequest::default()
            .insert_header(("idempotency-key", "k"))
            .to_http_request();
        [query, key].map(|request| {
            let problem = check::<A>(&request, is_idempotent).err()?.to_string();
            Some(problem[..3].to_owned())
        })
    }

    #[test]
    fn what_no_argument_reads_is_refused() {
        let (bad_query, bad_key) = (Some("400".to_owned()), Some("422".to_owned()));
        assert_eq!(
            refusals::<(Path<String>, Body<Anything>)>(false),
            [bad_query.clone(), bad_key.clone()]
        );
        assert_eq!(
            refusals::<(Path<String>, Body<Anything>)>(true),
            [bad_query.clone(), None]
        );
        assert_eq!(refusals::<()>(false), [bad_query.clone(), bad_key.clone()]);
        assert_eq!(refusals::<(IdempotencyKey,)>(false), [bad_query, None]);
        assert_eq!(refusals::<(web::Data<u8>, AnyQuery)>(false), [None, bad_key]);
    }
}
