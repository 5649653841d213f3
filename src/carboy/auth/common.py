"""Passwords that everybody tries first. Our own list of what is known from many leaks.

Only words of at least four letters: what a password is made of, before the figures and
signs that people put behind it. Compared without case, and without those figures.
"""

from __future__ import annotations

__all__ = ["COMMON", "is_common"]

WORDS = """
password passwort passwords passw0rd p@ssw0rd p@ssword pa$$word passwd mypassword newpassword
password1password yourpassword thepassword secret topsecret mysecret supersecret letmein
letmeinnow letmeinplease welcome welcomeback welcomehome changeme changemenow changeit admin
administrator adminadmin rootroot root superuser superadmin sysadmin webadmin adminpass
adminpassword master mastermaster login loginlogin signin guest guestguest test testtest testing
testuser tester demo demodemo default temp temporary qwerty qwertz azerty qwertyui qwertyuiop
qwertyqwerty asdf asdfasdf asdfgh asdfghjk asdfghjkl zxcv zxcvbn zxcvbnm zaq!xsw 1qaz2wsx
1qazxsw2 qazwsx qazwsxedc qweasd qweasdzxc q1w2e3r4 q1w2e3r4t5 1q2w3e4r 1q2w3e4r5t a1b2c3d4 abcd
abcdef abcdefg abcdefgh abcdefghi abcabcabc abc123abc iloveyou iloveu ilovegod ilovehim iloveher
iloveme loveyou loveme lovelove lovely love forever foreverlove sunshine sunflower princess
princesa prince football baseball basketball volleyball softball hockey soccer liverpool chelsea
arsenal barcelona realmadrid juventus manchester manunited yankees cowboys steelers dragon
dragons monkey monkeys tiger tigers lion panther eagle eagles dolphin shadow shadows superman
batman spiderman ironman wolverine pokemon pikachu naruto starwars startrek skywalker matrix
mustang ferrari porsche mercedes corvette harley yamaha suzuki honda michael michelle jordan
jennifer jessica daniel danielle thomas andrew anthony william robert charlie george nicole
ashley amanda samantha matthew joshua hannah hunter ranger buster killer trustno trustnoone
whatever freedom liberty computer internet samsung google facebook linkedin instagram twitter
microsoft windows apple android myspace youtube playstation nintendo minecraft fortnite hello
hellohello hello123hello goodbye cheese chocolate cookie banana orange strawberry butterfly
flower summer winter spring autumn september october november december january monday friday
blink slipknot metallica nirvana eminem rockyou rockstar angel angels babygirl babyboy baby
sweety sweetheart honey darling jesus jesuschrist blessed heaven god pussy fuckyou fuckoff fuck
asshole bitch biteme access accessdenied nothing nopassword unknown unlock open opensesame
sesame swordfish correcthorse correcthorsebatterystaple company office business private public
school student teacher family mother father brother sister friends happy lucky smile money
dollar diamond silver golden pepper ginger maggie
"""
COMMON = frozenset(WORDS.split())

SIGNS = "0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ "  # what people put behind a word
KEYS = ("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "yxcvbnm", "zxcvbnm")
RUNS = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", *KEYS)


def is_common(password: str) -> bool:
    """Return whether *password* is one of those, alone or with figures and signs around it.

    So are one or two characters repeated, and rows of the alphabet, figures and keys.

    >>> is_common("Password2026!"), is_common("aaaaaaaa"), is_common("87654321")
    (True, True, True)
    >>> is_common("a crate of green glass")
    False
    """
    text = password.casefold()
    if len(set(text)) <= 2 or text in COMMON:
        return True
    if any(text in run or text in run[::-1] for run in RUNS):
        return True
    if any(text[:end] in COMMON for end in range(len(text.rstrip(SIGNS)), len(text))):
        return True
    word = text.strip(SIGNS)
    half = text[: len(text) // 2]
    doubled = len(text) % 2 == 0 and text == half * 2 and (half in COMMON or half.isdigit())
    return word in COMMON or doubled or (not word and len(set(text)) <= 4)
