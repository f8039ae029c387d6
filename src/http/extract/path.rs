use super::super::{Problem, path_external_id, path_id};
use super::Argument;
use crate::ids::{ExternalId, Id};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// The parameters of the path: one value, or a tuple of values in the order of the path. The first one that is not acceptable is a 422.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// The value of one parameter of a path.
pub trait PathValue: Sized {
    /// Reads the parameter `name` of the path.
    ///
    /// # Errors
    /// 422 if it is not acceptable.
    fn read(request: &HttpRequest, name: &str) -> Result<Self, Problem>;
}

impl PathValue for Id {
    fn read(request: &HttpRequest, name: &str) -> Result<Self, Problem> {
        path_id(request, name)
    }
}

impl PathValue for ExternalId {
    fn read(request: &HttpRequest, name: &str) -> Result<Self, Problem> {
        path_external_id(request, name)
    }
}

/// Any text, as decoded by the router.
impl PathValue for String {
    fn read(request: &HttpRequest, name: &str) -> Result<Self, Problem> {
        Ok(request.match_info().get(name).unwrap_or_default().to_owned())
    }
}

/// The values of all parameters of a path.
pub trait PathValues: Sized {
    /// Reads them.
    ///
    /// # Errors
    /// 422 for the first one that is not acceptable.
    fn read_all(request: &HttpRequest) -> Result<Self, Problem>;
}

/// Reads the parameter at a place in the path.
fn at<T: PathValue>(request: &HttpRequest, place: usize) -> Result<T, Problem> {
    let name = request.match_info().iter().nth(place).map(|(name, _)| name);
    let name = name.ok_or_else(|| Problem::internal(&"a handler reads more parameters than its path has"))?;
    T::read(request, name)
}

impl<T: PathValue> PathValues for T {
    fn read_all(request: &HttpRequest) -> Result<Self, Problem> {
        at(request, 0)
    }
}

impl<A: PathValue, B: PathValue> PathValues for (A, B) {
    fn read_all(request: &HttpRequest) -> Result<Self, Problem> {
        Ok((at(request, 0)?, at(request, 1)?))
    }
}

impl<T: PathValues> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(T::read_all(request).map(Self))
    }
}

impl<T: PathValues> Argument for Path<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn parameters_are_read_in_the_order_of_the_path() {
        let request = TestRequest::default()
            .param("queue", "q")
            .param("id", "a b")
            .to_http_request();
        assert_eq!(String::read_all(&request), Ok("q".to_owned()));
        assert_eq!(
            <(String, String)>::read_all(&request),
            Ok(("q".to_owned(), "a b".to_owned()))
        );
        let refused = <(Id, Id)>::read_all(&request).unwrap_err().to_string();
        assert!(refused.starts_with("422") && refused.contains("id: "), "{refused}");
        let none = Id::read_all(&TestRequest::default().to_http_request()).unwrap_err();
        assert!(none.to_string().starts_with("500"), "{none}");
    }
}
