//! One fetches, and all who want the same wait for that.

use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout_at;

/// So many at once; whoever comes beyond that goes alone.
const MOST: usize = 10_000;
/// For how long a landing is remembered, for those who looked before it: longer than a look takes.
const REMEMBERED: Duration = Duration::from_secs(1);

/// For how long a flight is waited for. A handler that never returns holds nobody up for longer: whoever waits goes on
/// by itself, and whoever comes takes its place.
const LONGEST: Duration = Duration::from_secs(30);

/// Who is under way for what: of all that want the same thing at once one fetches it, and the others wait for what that
/// one brings.
///
/// Over all workers of a process. What is fetched has to be `Send`; the fetching need not be.
#[derive(Debug)]
pub struct Flights<K, T>(Mutex<Board<K, T>>);

#[derive(Debug)]
struct Board<K, T> {
    flights: HashMap<K, Flight<T>>,
    /// The landings that are remembered, the oldest first.
    landings: VecDeque<(Instant, K)>,
}

#[derive(Debug)]
enum Flight<T> {
    Boarding(Arrival<T>),
    /// It is being fetched.
    Departed(Arrival<T>),
    /// What it brings is being stored.
    Closed(Arrival<T>),
    /// What it brought was stored by then.
    Landed(Instant),
}

/// What a flight is going to bring.
#[derive(Debug)]
pub struct Arrival<T> {
    brings: watch::Receiver<Option<T>>,
    began: Instant,
}

// Derived, it would ask for a `T` that can be cloned as well.
impl<T> Clone for Arrival<T> {
    fn clone(&self) -> Self {
        Self {
            brings: self.brings.clone(),
            began: self.began,
        }
    }
}

/// Why a flight brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// Its pilot was lost.
    Lost,
    /// It takes too long.
    Overdue,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Mutex::new(Board {
            flights: HashMap::new(),
            landings: VecDeque::new(),
        }))
    }
}

/// Somebody's part in a flight.
#[derive(Debug)]
pub enum Seat<K: Hash + Eq + Clone, T> {
    /// To fetch it.
    Pilot(Pilot<K, T>),
    /// To wait for it and have it.
    Passenger {
        arrival: Arrival<T>,
        /// Before it began to be fetched: whatever it brings was made after this one came.
        early: bool,
    },
    /// Came while it was already being stored: to wait for that, and look again. What it brings may have been invalidated
    /// before this one came.
    Late(Arrival<T>),
    /// It was stored after this one had looked: to look again.
    Landed,
    /// There are too many under way.
    Full,
}

impl<K: Hash + Eq + Clone, T: Clone> Flights<K, T> {
    /// Takes a seat, for somebody who began to look for it at `looked` and has not found it. `only_early`: takes the place of
    /// a flight that has departed, because what that brings may not be for this one.
    pub fn board(self: &Arc<Self>, key: &K, looked: Instant, only_early: bool) -> Seat<K, T> {
        let mut board = self.0.lock();
        board.forget();
        match board.flights.get(key) {
            Some(Flight::Boarding(arrival) | Flight::Departed(arrival) | Flight::Closed(arrival))
                if arrival.began.elapsed() >= LONGEST => {}
            Some(Flight::Boarding(arrival)) => {
                return Seat::Passenger {
                    arrival: arrival.clone(),
                    early: true,
                };
            }
            Some(Flight::Departed(_) | Flight::Closed(_)) if only_early => {}
            Some(Flight::Departed(arrival)) => {
                return Seat::Passenger {
                    arrival: arrival.clone(),
                    early: false,
                };
            }
            Some(Flight::Closed(arrival)) => return Seat::Late(arrival.clone()),
            Some(Flight::Landed(at)) if looked < *at => return Seat::Landed,
            None if board.flights.len() >= MOST => return Seat::Full,
            Some(Flight::Landed(_)) | None => {}
        }
        let (brings, arrival) = watch::channel(None);
        let arrival = Arrival {
            brings: arrival,
            began: Instant::now(),
        };
        board.flights.insert(key.clone(), Flight::Boarding(arrival));
        Seat::Pilot(Pilot {
            flights: Arc::clone(self),
            key: key.clone(),
            brings,
            has_landed: false,
        })
    }
}

impl<K: Hash + Eq, T> Board<K, T> {
    /// Forgets old landings.
    fn forget(&mut self) {
        while let Some((at, _)) = self.landings.front()
            && at.elapsed() > REMEMBERED
            && let Some((at, key)) = self.landings.pop_front()
        {
            // Another may have gone to the same place since.
            if matches!(self.flights.get(&key), Some(Flight::Landed(last)) if *last == at) {
                self.flights.remove(&key);
            }
        }
    }
}

/// The one that fetches. Dropped before it has [landed](Self::land), whoever waits is told that nothing comes.
#[derive(Debug)]
pub struct Pilot<K: Hash + Eq + Clone, T> {
    flights: Arc<Flights<K, T>>,
    key: K,
    brings: watch::Sender<Option<T>>,
    has_landed: bool,
}

impl<K: Hash + Eq + Clone, T> Pilot<K, T> {
    /// To be called before it is fetched: whoever comes from now on is not early.
    pub fn depart(&self) {
        let mut board = self.flights.0.lock();
        if let Some(flight) = board.flights.get_mut(&self.key).filter(|flight| self.flies(flight))
            && let Flight::Boarding(arrival) = flight
        {
            *flight = Flight::Departed(arrival.clone());
        }
    }

    /// To be called before what was fetched is stored: whoever comes from now on is [late](Seat::Late). Says whether anybody
    /// waits.
    pub fn close(&self) -> bool {
        let mut board = self.flights.0.lock();
        let mine = board.flights.get_mut(&self.key).filter(|flight| self.flies(flight));
        // One of them is the board's.
        let of_board = usize::from(mine.is_some());
        if let Some(flight) = mine
            && let Flight::Boarding(arrival) | Flight::Departed(arrival) = flight
        {
            *flight = Flight::Closed(arrival.clone());
        }
        self.brings.receiver_count() > of_board
    }

    /// Whether a flight is this one, and not one that took its place.
    fn flies(&self, flight: &Flight<T>) -> bool {
        match flight {
            Flight::Boarding(arrival) | Flight::Departed(arrival) | Flight::Closed(arrival) => {
                arrival.brings.same_channel(&self.brings.subscribe())
            }
            Flight::Landed(_) => false,
        }
    }

    /// Gives everybody what was fetched; `stored` if whoever looks from now on finds it.
    pub fn land(mut self, what: T, stored: bool) {
        let mut board = self.flights.0.lock();
        if stored && board.flights.get(&self.key).is_some_and(|flight| self.flies(flight)) {
            self.has_landed = true;
            let now = Instant::now();
            board.flights.insert(self.key.clone(), Flight::Landed(now));
            board.landings.push_back((now, self.key.clone()));
        }
        drop(board);
        self.brings.send_replace(Some(what));
    }
}

impl<K: Hash + Eq + Clone, T> Drop for Pilot<K, T> {
    fn drop(&mut self) {
        if self.has_landed {
            return;
        }
        let mut board = self.flights.0.lock();
        if board.flights.get(&self.key).is_some_and(|flight| self.flies(flight)) {
            board.flights.remove(&self.key);
        }
    }
}

/// What a flight brought.
///
/// # Errors
/// [`Missed`]: it brought nothing, or has not yet.
pub async fn wait<T: Clone>(mut arrival: Arrival<T>) -> Result<T, Missed> {
    let overdue = arrival.began + LONGEST;
    let landing = arrival.brings.wait_for(Option::is_some);
    let landed = timeout_at(overdue.into(), landing)
        .await
        .map_err(|_late| Missed::Overdue)?;
    landed.map_err(|_lost| Missed::Lost)?.clone().ok_or(Missed::Lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    type ToKey = Arc<Flights<&'static str, u32>>;

    fn pilot(flights: &ToKey, key: &'static str) -> Pilot<&'static str, u32> {
        match flights.board(&key, Instant::now(), false) {
            Seat::Pilot(pilot) => pilot,
            seat => panic!("{seat:?}"),
        }
    }

    #[actix_web::test]
    async fn one_fetches_and_all_who_wait_have_it() {
        let flights = ToKey::default();
        let before = Instant::now();
        let first = pilot(&flights, "a");
        let waiting: Vec<_> = (0..3)
            .map(|_| match flights.board(&"a", before, false) {
                Seat::Passenger { arrival, .. } => tokio::spawn(wait(arrival)),
                seat => panic!("{seat:?}"),
            })
            .collect();
        let other = pilot(&flights, "b");
        assert!(first.close() && !other.close());
        assert!(matches!(flights.board(&"a", before, false), Seat::Late(_)));
        first.land(7, true);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Ok(7));
        }
        // Whoever looked before the landing finds it in another look; whoever looked after it has not found it.
        assert!(matches!(flights.board(&"a", before, false), Seat::Landed));
        assert!(matches!(flights.board(&"a", Instant::now(), false), Seat::Pilot(_)));
        // What was not stored nobody finds.
        other.land(8, false);
        assert!(matches!(flights.board(&"b", before, false), Seat::Pilot(_)));
    }

    #[actix_web::test]
    async fn who_comes_after_the_departure_may_have_a_flight_of_their_own() {
        let flights = ToKey::default();
        let before = Instant::now();
        let early = |seat| matches!(seat, Seat::Passenger { early: true, .. });
        let first = pilot(&flights, "a");
        assert!(early(flights.board(&"a", before, false)) && early(flights.board(&"a", before, true)));
        first.depart();
        assert!(matches!(
            flights.board(&"a", before, false),
            Seat::Passenger { early: false, .. }
        ));
        let Seat::Pilot(second) = flights.board(&"a", before, true) else {
            panic!("the first one has departed");
        };
        first.depart();
        assert!(!first.close());
        assert!(early(flights.board(&"a", before, true)));
        second.depart();
        second.close();
        assert!(matches!(flights.board(&"a", before, true), Seat::Pilot(_)));
    }

    #[actix_web::test]
    async fn a_lost_pilot_is_told_of() {
        let flights = ToKey::default();
        let lost = pilot(&flights, "a");
        let Seat::Passenger { arrival, .. } = flights.board(&"a", Instant::now(), false) else {
            panic!("there is a pilot");
        };
        drop(lost);
        assert_eq!(wait(arrival).await, Err(Missed::Lost));
        pilot(&flights, "a");
    }

    /// As if the flight under way had begun too long ago.
    fn delay(flights: &ToKey, key: &'static str) {
        match flights.0.lock().flights.get_mut(key) {
            Some(Flight::Boarding(arrival) | Flight::Departed(arrival) | Flight::Closed(arrival)) => {
                arrival.began -= LONGEST;
            }
            other => panic!("{other:?}"),
        }
    }

    #[actix_web::test]
    async fn nobody_waits_for_ever_and_the_place_of_one_that_takes_too_long_is_taken() {
        for closes in [false, true] {
            let flights = ToKey::default();
            let before = Instant::now();
            let stuck = pilot(&flights, "a");
            delay(&flights, "a");
            if closes {
                stuck.close();
            }
            let successor = pilot(&flights, "a");
            let Seat::Passenger { arrival, .. } = flights.board(&"a", before, false) else {
                panic!("there is a successor");
            };
            // Nothing that becomes of the first one touches the second.
            stuck.close();
            assert!(matches!(flights.board(&"a", before, false), Seat::Passenger { .. }));
            if closes {
                stuck.land(1, true);
            } else {
                drop(stuck);
            }
            assert!(matches!(flights.board(&"a", before, false), Seat::Passenger { .. }));
            successor.land(2, true);
            assert_eq!(wait(arrival).await, Ok(2));
        }
        let flights = ToKey::default();
        let _stuck = pilot(&flights, "a");
        let Seat::Passenger { mut arrival, .. } = flights.board(&"a", Instant::now(), false) else {
            panic!("there is a pilot");
        };
        arrival.began -= LONGEST;
        assert_eq!(wait(arrival).await, Err(Missed::Overdue));
    }

    #[test]
    fn their_number_is_bounded_and_landings_are_forgotten() {
        let flights = Arc::new(Flights::<usize, u32>::default());
        let now = Instant::now();
        let mut pilots: Vec<_> = (0..MOST).map(|n| flights.board(&n, now, false)).collect();
        assert!(matches!(flights.board(&MOST, now, false), Seat::Full));
        let Some(Seat::Pilot(pilot)) = pilots.pop() else {
            panic!("it has one");
        };
        pilot.land(1, true);
        drop(pilots);
        let mut board = flights.0.lock();
        assert_eq!((board.flights.len(), board.landings.len()), (1, 1));
        board.landings[0].0 -= REMEMBERED * 2;
        let (at, key) = board.landings[0];
        board.flights.insert(key, Flight::Landed(at));
        board.forget();
        assert_eq!((board.flights.len(), board.landings.len()), (0, 0));
    }
}
