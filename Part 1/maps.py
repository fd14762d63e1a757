"""What the states of a network do while it reads: the map of one digit, and its angles.

A state h has H entries and a last one that is always 1, so that a map M (H + 1, H + 1) holds a
constant; states are rows, and M leads h to h @ M.
"""

import torch

from dataset import encode

N, N_DIGITS = 1000, 100  # sequences to fit the maps, and as many to be asked; their length
RIDGE = 1.0  # of the fit
PATH = 4  # places of one first digit on the dial, from the length home on
LASTS, TURNS = 0.98, 5  # an eigenvalue lasts from this modulus on, and turns by more degrees


@torch.no_grad()
def observe(model, digits):
    """Return h (n, N, H + 1), float64, after each digit of digits (N, n); its last entry is 1."""
    state, states = None, []
    for column in digits.unbind(dim=1):
        _, state = model(encode(column.unsqueeze(1), one_hot=True), state)
        h = state if torch.is_tensor(state) else state[0]
        states.append(torch.cat([h, torch.ones_like(h[:, :1])], dim=1))
    return torch.stack(states).cpu().double()


def fit_map(start, end):
    """Return the matrix M (H + 1, H + 1) of the ridge regression start M ~ end, (n, N, H + 1)."""
    X, Y = start.flatten(0, 1), end.flatten(0, 1)
    identity = torch.eye(X.shape[1]).double()
    M = torch.linalg.solve(X.T @ X + RIDGE * identity, X.T @ Y)
    M[:, -1] = identity[:, -1]  # the last entry stays 1
    return M


def fit_maps(h):
    """Return the maps of one digit, on and back, of h (n, N, H + 1): 19 to 22 digits are read."""
    return fit_map(h[18:21], h[19:22]), fit_map(h[19:22], h[18:21])


def undo(h, T, home, maps, extra=0):
    """Return the states of h (n, N, H + 1) at length T, led to where they were at length home.

    Beyond home, the map back undoes T - home digits, and `extra` more; before it, the map on leads
    home - T digits further.
    """
    on, back = maps
    n = T - home + extra
    return h[T - 2] @ torch.linalg.matrix_power(back if n > 0 else on, abs(n))


def right(model, h, first):
    """Return the share of states h (N, H + 1) for which the network's own output layer is right."""
    layer = torch.cat([model.Wph, model.bp.unsqueeze(1)], dim=1).detach().cpu().double()
    return ((h @ layer.T).argmax(dim=1) == first).double().mean().item()


def lasting(M):
    """Return the complex eigenvalues (k,) of a map that last, one of each pair, and its vectors."""
    values, vectors = torch.linalg.eig(M[:-1, :-1])
    kept = (values.abs() >= LASTS) & (values.imag >= 0)
    return values[kept], vectors[:, kept]


def places(M, means):
    """Return places (n, 10, 2) on a dial of states means (n, 10, H + 1) of the ten first digits.

    It is the plane in which the map M turns them most apart, its axis at 0; where M turns nothing,
    the plane in which means[0] differ most.
    """
    values, vectors = lasting(M)
    turning = torch.rad2deg(values.angle()) > TURNS
    turning &= values.imag > 0  # half a turn has no plane
    if not turning.any():
        _, plane = torch.linalg.eigh(torch.cov(means[0].T))  # ascending
        return (means - means[0].mean(dim=0)) @ plane[:, -2:]
    values, vectors = values[turning], vectors[:, turning]
    axis = M[-1, :-1].to(vectors) @ vectors / (1 - values)  # what M leaves where it is
    hands = means[..., :-1].to(vectors) @ vectors - axis  # (n, 10, k)
    return torch.view_as_real(hands[..., hands[0].var(dim=0).argmax()])


def look(model, home, lengths, device, dial):
    """Return (T, what, first digits, value) of what a model does while it reads random sequences.

    Of half the sequences a map of one digit is fitted, the others are asked:

    * "own", "undone" and, as a control, "one too many": the share of right answers to sequences
      that begin with 5 to 9. The maps that undo digits have seen those that begin with 0 to 4. At
      the length home, "own" is that of "all", too.
    * "angle": of each eigenvalue that lasts, in degrees, of the map of all sequences.
    * "x" and "y", if `dial`: where the ten first digits are, and where one of them goes.
    """
    rng = torch.Generator().manual_seed(0)  # all networks read the same sequences
    digits = torch.randint(10, (2 * N, N_DIGITS), generator=rng)
    states, first = observe(model, digits.to(device)), digits[:, 0]
    fit, test, first_fit, first = *states.split(N, dim=1), *first.split(N)
    M, _ = fit_maps(fit)
    seen = []
    for value in lasting(M)[0]:
        seen.append((home, "angle", "all", torch.rad2deg(value.angle()).item()))
    seen.append((home, "own", "all", right(model, test[home - 2], first)))

    if dial:
        means = torch.stack([test[:, first == d].mean(dim=1) for d in range(10)], dim=1)
        at = places(M, means[home - 2 : home - 2 + PATH])
        farthest = at[0].norm(dim=1).argmax().item()
        for n in range(PATH):
            for d in (farthest,) if n else range(10):
                seen.append((home + n, "x", str(d), at[n, d, 0].item()))
                seen.append((home + n, "y", str(d), at[n, d, 1].item()))

    maps, h, first = fit_maps(fit[:, first_fit < 5]), test[:, first >= 5], first[first >= 5]
    for T in sorted({*lengths, home}):
        seen.append((T, "own", "5 to 9", right(model, h[T - 2], first)))
        seen.append((T, "undone", "5 to 9", right(model, undo(h, T, home, maps), first)))
    led = undo(h, home + 1, home, maps, extra=1)
    seen.append((home + 1, "one too many", "5 to 9", right(model, led, first)))
    return seen
