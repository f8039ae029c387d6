use super::super::{Problem, RawBody};
use super::Argument;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

/// The body, read from JSON. The bytes are dropped before the handler runs.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A type that is parsed from a body. Positions use [`Unparsed`], because they have a parser of their own.
pub trait FromBody: Sized + 'static {
    /// The largest body, bytes. A larger one is a 413.
    const MAX_BYTES: usize;

    /// Parses a body.
    ///
    /// # Errors
    /// 400 if it is not JSON, 422 if a value is not acceptable.
    fn read(body: &Bytes, app: AppData<'_>) -> Result<Self, Problem>;
}

/// The application data, for bodies whose bounds are settings.
#[derive(Debug, Clone, Copy)]
pub struct AppData<'a>(&'a HttpRequest);

impl<'a> AppData<'a> {
    /// Returns the data of a type, which handlers take as `web::Data`.
    ///
    /// # Errors
    /// 500 if the application has none.
    pub fn get<T: 'static>(self) -> Result<&'a T, Problem> {
        let data = self.0.app_data::<web::Data<T>>();
        data.map(web::Data::get_ref)
            .ok_or_else(|| Problem::internal(&"the application lacks data that a body is read by"))
    }
}

/// A body with its bytes; for calls that recognise a repeated request by them.
#[derive(Debug)]
pub struct WithBytes<T> {
    /// The parsed value.
    pub value: T,
    /// The body after content decoding.
    pub bytes: Bytes,
}

impl<T: FromBody> FromBody for WithBytes<T> {
    const MAX_BYTES: usize = T::MAX_BYTES;

    fn read(body: &Bytes, app: AppData<'_>) -> Result<Self, Problem> {
        let value = T::read(body, app)?;
        Ok(Self {
            value,
            bytes: body.clone(),
        })
    }
}

impl<T: FromBody> FromRequest for Body<T> {
    type Error = Problem;
    // One allocation, instead of the one that `RawBody::read` makes.
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        async move {
            let body = RawBody::read_here(&request, &mut payload, T::MAX_BYTES).await?;
            T::read(&body.json()?, AppData(&request)).map(Self)
        }
        .boxed_local()
    }
}

impl<T: FromBody> Argument for Body<T> {}

/// The body as bytes, at most `MAX_BYTES` (413); for a handler with a parser of its own, such as that of positions.
#[derive(Debug)]
pub struct Unparsed<const MAX_BYTES: usize>(pub RawBody);

impl<const MAX_BYTES: usize> FromRequest for Unparsed<MAX_BYTES> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        async move {
            let body = RawBody::read_here(&request, &mut payload, MAX_BYTES).await?;
            Ok(Self(body))
        }
        .boxed_local()
    }
}

impl<const MAX_BYTES: usize> Argument for Unparsed<MAX_BYTES> {}
