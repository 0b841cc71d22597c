"""Domains in which very many people have a mailbox: where a mistyped domain may have been meant to lead.

The list does two things. It offers what was meant, and it keeps us from being too sure: a small provider
whose name is a slip away from a large one (`ymail.com` from `gmail.com`) must be known, or a mistyped `ymail`
would be put right as `gmail` without a doubt. So each stands under the reason for which it is here.

Only of LEADING domains a guess may be certain at all: a provider with few mailboxes is near by chance.

The order matters: of two that are equally near, the earlier one is offered first. Nothing here says that a
domain takes mail today; that is looked up before it is offered.
"""

from __future__ import annotations

from typing import Final

_REASONS: Final[dict[str, str]] = {
    # The largest providers, each with hundreds of millions of mailboxes.
    "used all over the world": ("gmail.com outlook.com hotmail.com yahoo.com icloud.com"),
    # Older names of the same providers; they have been given to nobody new for years, and are in use.
    "an older name of one of the largest": (
        "googlemail.com live.com msn.com aol.com me.com mac.com ymail.com rocketmail.com aim.com"
    ),
    # Asked for by country at sign-up, or once were.
    "a national name of Microsoft's": (
        "hotmail.co.uk hotmail.fr hotmail.de hotmail.it hotmail.es hotmail.be hotmail.nl hotmail.ch"
        " hotmail.se hotmail.no hotmail.dk hotmail.com.br hotmail.com.ar hotmail.gr hotmail.co.jp"
        " hotmail.ca hotmail.com.tr outlook.de outlook.fr outlook.es outlook.it outlook.at outlook.be"
        " outlook.dk outlook.jp outlook.kr outlook.pt outlook.sa outlook.ie outlook.in outlook.com.br"
        " outlook.com.ar outlook.com.au outlook.co.id live.co.uk live.fr live.de live.it live.nl live.be"
        " live.se live.no live.dk live.ca live.at live.com.au live.com.mx live.com.ar live.com.pt live.cn"
        " live.jp live.in live.ie live.cl windowslive.com"
    ),
    "a national name of Yahoo's": (
        "yahoo.co.uk yahoo.fr yahoo.de yahoo.it yahoo.es yahoo.co.jp yahoo.co.in yahoo.in yahoo.ca"
        " yahoo.com.br yahoo.com.ar yahoo.com.mx yahoo.com.au yahoo.com.cn yahoo.cn yahoo.com.hk"
        " yahoo.com.tw yahoo.com.sg yahoo.com.ph yahoo.com.vn yahoo.co.id yahoo.co.kr yahoo.co.nz"
        " yahoo.co.th yahoo.co.za yahoo.gr yahoo.ie yahoo.no yahoo.se yahoo.dk yahoo.pl yahoo.ro"
        " yahoo.com.tr yahoo.com.my yahoo.com.co yahoo.com.pe yahoo.cl"
    ),
    "large in the countries that speak German": (
        "gmx.de web.de gmx.net t-online.de freenet.de gmx.at gmx.ch gmx.com posteo.de mailbox.org"
        " arcor.de 1und1.de online.de vodafone.de kabelmail.de magenta.de bluewin.ch hispeed.ch sunrise.ch"
        " a1.net aon.at chello.at gmx.eu gmx.info gmx.org gmx.li email.de mail.de posteo.net posteo.eu"
        " posteo.at posteo.ch posteo.org onlinehome.de o2online.de netcologne.de ewetel.net ewe.net"
        " osnanet.de unitybox.de tutanota.de"
    ),
    "large in France and Belgium": (
        "orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr aliceadsl.fr club-internet.fr"
        " numericable.fr voila.fr gmx.fr skynet.be telenet.be proximus.be"
    ),
    "large in Italy": (
        "libero.it virgilio.it tin.it alice.it tim.it tiscali.it inwind.it iol.it fastwebnet.it email.it"
        " vodafone.it poste.it aruba.it pec.it"
    ),
    "large in Spain and Portugal": ("telefonica.net movistar.es terra.es ono.com orange.es sapo.pt gmx.es"),
    "large in the Netherlands and the North": (
        "ziggo.nl kpnmail.nl planet.nl hetnet.nl home.nl xs4all.nl upcmail.nl casema.nl quicknet.nl"
        " zonnet.nl telia.com telia.se bredband.net comhem.se spray.se online.no broadpark.no mail.dk"
        " stofanet.dk tdcadsl.dk elisanet.fi kolumbus.fi luukku.com suomi24.fi"
    ),
    "large in the United Kingdom and Ireland": (
        "btinternet.com sky.com virginmedia.com talktalk.net ntlworld.com blueyonder.co.uk tiscali.co.uk"
        " btopenworld.com o2.co.uk plus.net gmx.co.uk eircom.net"
    ),
    "large in Poland": (
        "wp.pl o2.pl onet.pl interia.pl op.pl poczta.onet.pl vp.pl gazeta.pl tlen.pl poczta.fm"
    ),
    "large in Czechia, Slovakia and Hungary": (
        "seznam.cz email.cz centrum.cz post.cz volny.cz atlas.cz azet.sk centrum.sk zoznam.sk freemail.hu"
        " citromail.hu"
    ),
    "large in Russia and its neighbours": (
        "mail.ru yandex.ru bk.ru list.ru inbox.ru ya.ru rambler.ru yandex.com yandex.by yandex.kz"
        " yandex.ua ukr.net i.ua meta.ua tut.by mail.kz inbox.lv mail.bg abv.bg"
    ),
    "large in China": (
        "qq.com 163.com 126.com sina.com sina.cn sohu.com yeah.net foxmail.com 139.com 189.cn 21cn.com"
        " aliyun.com tom.com vip.qq.com vip.163.com vip.126.com"
    ),
    "large in Korea and Japan": (
        "naver.com daum.net hanmail.net nate.com kakao.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp au.com"
        " i.softbank.jp nifty.com biglobe.ne.jp"
    ),
    "large in India": ("rediffmail.com sify.com indiatimes.com"),
    "large in North America": (
        "comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net"
        " optonline.net windstream.net frontier.com frontiernet.net centurylink.net embarqmail.com"
        " juno.com netzero.net roadrunner.com rr.com suddenlink.net mindspring.com ameritech.net"
        " pacbell.net swbell.net prodigy.net q.com mchsi.com rogers.com shaw.ca sympatico.ca bell.net"
        " bell.ca telus.net videotron.ca cogeco.ca"
    ),
    "large in Latin America": (
        "uol.com.br bol.com.br terra.com.br ig.com.br globo.com r7.com prodigy.net.mx fibertel.com.ar"
    ),
    "large in Australia and New Zealand": (
        "bigpond.com bigpond.net.au optusnet.com.au iinet.net.au tpg.com.au dodo.com.au xtra.co.nz"
    ),
    "large in Africa and the Near East": (
        "mweb.co.za vodamail.co.za walla.com walla.co.il netvision.net.il mynet.com"
    ),
    "chosen for what it promises": (
        "proton.me protonmail.com pm.me protonmail.ch fastmail.com fastmail.fm tutanota.com tuta.com"
        " tuta.io tutamail.com hey.com zoho.com zohomail.com zoho.eu hushmail.com startmail.com"
        " mailfence.com runbox.com riseup.net disroot.org duck.com kolabnow.com"
    ),
    # Few have a mailbox there, but a slip away from one of the above; they keep a guess from being certain.
    "a provider, or somebody well known, whose name is near another's": (
        "mailo.com cloud.com libera.it mail.com email.com inbox.com usa.net usa.com gmx.us mail.ee"
        " mail.md post.com live.ru gawab.com hotmail.ru hotmail.cl hotmail.my hotmail.ph hotmail.sg"
        " hotmail.rs hotmail.cz hotmail.hu hotmail.lv hotmail.lt hotmail.fi outlook.cl outlook.cz"
        " outlook.hu outlook.lv outlook.my outlook.ph outlook.sg outlook.sk outlook.co.th outlook.com.gr"
        " outlook.com.tr outlook.com.vn gmail.ru yahoo.at yahoo.be yahoo.nl yahoo.pt yahoo.fi yahoo.hu"
        " yahoo.com.ve yahoo.com.pk icloud.cn post.ch post.at mail.fr mail.pt mail.be mail.ch gmx.ru"
        " aol.de aol.fr aol.it aol.co.uk aol.es aol.nl"
    ),
}

COMMON_DOMAINS: Final[tuple[str, ...]] = tuple(
    domain for domains in _REASONS.values() for domain in domains.split()
)

# Each has millions of mailboxes in daily use; those with names of three letters are left out, because a name
# that is so short is near to anything.
_LEADING: Final = (
    "gmail.com outlook.com hotmail.com yahoo.com icloud.com googlemail.com live.com protonmail.com"
    " hotmail.co.uk hotmail.fr hotmail.de hotmail.it hotmail.es hotmail.com.br outlook.de outlook.fr"
    " yahoo.co.uk yahoo.fr yahoo.de yahoo.it yahoo.es yahoo.co.jp yahoo.co.in yahoo.com.br yahoo.ca"
    " t-online.de freenet.de posteo.de mailbox.org bluewin.ch orange.fr wanadoo.fr laposte.net libero.it"
    " virgilio.it tiscali.it alice.it telenet.be ziggo.nl btinternet.com virginmedia.com talktalk.net"
    " interia.pl seznam.cz freemail.hu yandex.ru rambler.ru naver.com hanmail.net rediffmail.com"
    " comcast.net verizon.net sbcglobal.net bellsouth.net optonline.net earthlink.net bigpond.com"
    " rocketmail.com proton.me foxmail.com free.fr"
)
LEADING_DOMAINS: Final[frozenset[str]] = frozenset(_LEADING.split())
