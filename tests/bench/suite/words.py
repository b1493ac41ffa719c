"""The vocabulary of the generated rows. Adding or moving a word changes every input; results before and after do not compare."""

FIRST_NAMES = """olivia emma ava sofia mia lucas noah liam leo hugo louise alice jules gabriel chloe lea manon arthur zoe nora ines adam
raphael camille elena marta pablo diego lucia carmen hans greta karl anna lars ingrid sven freya bjorn astrid""".split()

LAST_NAMES = """smith jones taylor brown williams wilson johnson davies patel wright martin bernard dubois thomas robert richard petit
durand leroy moreau garcia fernandez gonzalez rodriguez lopez martinez sanchez muller schmidt schneider fischer weber meyer wagner
becker hansen johansson karlsson nilsson eriksson""".split()

DOMAINS = """gmail.com yahoo.com hotmail.com outlook.com icloud.com orange.fr free.fr gmx.de web.de example.com example.org
mail.example.net proton.me live.co.uk btinternet.com telenet.be""".split()

SEGMENTS = [
    "All subscribers", "VIP, Gold", 'VIP "Platinum" members', "Churn risk 30d", "Churn risk 90d", "New this week", "Newsletter FR",
    "Newsletter NL", "Newsletter DE", "Abandoned cart", "Browse abandon", "High LTV", "Low LTV", "Birthday month", "Win-back",
    "Loyalty tier 1", "Loyalty tier 2", "Loyalty tier 3", "App users", "Web only", "Store shoppers, Paris",
    "Store shoppers, Brussels", "Holiday buyers", "First purchase", "Second purchase", "Email engaged", "Email dormant",
    "SMS opt-in", "Push opt-in", "Product reviewers", "Referrers", "Wishlist", "Price drop watchers", "Back in stock", "Students",
    "Corporate", "Families", "Pet owners", "Runners", "Travellers",
]

FLOWS = [
    f"{name} {version}"
    for name in ["Welcome series", "Cart recovery", "Post purchase", "Win-back", "Birthday", "Weekly digest", "Price drop",
                 "Back in stock", "Loyalty", "Re-permission"]
    for version in ["v1", "v2", "v3 (holdout)", "EU", "US", "test"]
]

ACTIONS = ["email_send", "email_open", "email_click", "push_send", "sms_send", "webhook"]

SUBJECTS = [
    "Your cart misses you", "-20% on everything, today only", "Merci pour votre achat, à bientôt",
    "Neu: die Herbstkollektion ist da", '"Best of" the week', "Last chance: free delivery ends tonight",
    "We picked these for you", "Happy birthday 🎂 a gift inside", "How was your order?", "Points balance update",
    "New arrivals, just landed", "Confirm your subscription", "Su pedido está en camino", "Uw bestelling is verzonden",
    "Members only: early access", "Weekend flash sale ⚡",
]

USER_AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1", "Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/131.0",
    "GoogleImageProxy", "Outlook-iOS/2.0",
]

VARIANTS = ["A", "B", "control"]
COUNTRIES = ["FR", "BE", "DE", "NL", "GB", "US", "ES", "SE"]
LOCALES = ["fr-FR", "nl-BE", "de-DE", "en-GB", "en-US", "es-ES"]
TRACKED = ["Order Completed", "Product Viewed", "Product Added", "Email Clicked"]

# Of text that is not ASCII: scripts of two, three and four bytes a letter.
WORLD = ["Καλημέρα κόσμε", "Добро пожаловать", "こんにちは世界", "你好,世界", "안녕하세요", "مرحبا بالعالم", "שלום עולם", "สวัสดีชาวโลก",
         "Žluťoučký kůň", "Größe: „sehr groß“", "naïve façade", "🎉🎊 fête 🎈"]
WORLD_NAMES = ["éloïse", "jürgen", "søren", "łukasz", "ольга", "νίκος", "さくら", "željko"]

# Of long bodies: what CSV has to quote, and lines.
SENTENCES = [
    "Dear customer,", 'you asked us to "call back" on Monday.', "The parcel, as agreed, went out today.", "", "-- \nThe team",
    "Prix: 19,90 €; frais inclus.", "See https://shop.example.com/help?topic=returns&lang=en for more.", 'She said: ""never again"".',
]
