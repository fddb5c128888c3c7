"""Reads error messages in other languages: what the C library prints where LANG is not English, as the message it translates. Pure.

Source: the message catalogues of the GNU C library 2.36 (libc.mo), in all its languages. Runbooks know the English words only.
"""

# ruff: noqa: RUF001 - letters of many scripts

import re
from collections.abc import Mapping
from functools import lru_cache

# fmt: off
MESSAGES: Mapping[str, tuple[str, ...]] = {  # what is part of another message stands after it
    "Too many open files in system": (
        "Demasiados ficheiros abertos no sistema", "Demasiados ficheros abiertos en el sistema",
        "El sistema té massa fitxers oberts", "For mange åbne filer i systemet", "For mange åpne filer i systemet",
        "För många öppna filer i systemet", "Liian monta avointa tiedostoa järjestelmässä",
        "Muitos arquivos abertos no sistema", "Preveč odprtih datotek v sistemu", "Previše otvorenih datoteka u sustavu",
        "Priveľa otvorených súborov v systéme", "Quá nhiều tập tin còn đang mở trong hệ thống",
        "Sistemde çok fazla açık dosya var", "Sistemoje per daug atvertų failų", "Te veel open bestanden in systeem",
        "Terlalu banyak berkas terbuka dalam sistem", "Tro da malfermaj dosieroj en sistemo",
        "Trop de fichiers ouverts dans le système", "Troppi file aperti nel sistema", "Túl sok nyitott fájl a rendszerben",
        "V celém systému je příliš mnoho otevřených souborů", "Za dużo otwartych plików w systemie",
        "Zu viele offene Dateien im System", "Υπερβολικα πολλά ανοικτά αρχεία στο σύστημα",
        "Превише отворених датотека у систему", "Слишком много открытых файлов в системе",
        "Твърде много отворени файлове в системата", "У системі забагато відкритих файлів",
        "システム中のファイルを開きすぎです", "系統中太多的開啟檔案", "系统中打开的文件过多",
        "시스템에 파일을 너무 많이 열었음",
    ),
    "Too many open files": (
        "Demasiados ficheiros abertos", "Demasiados ficheros abiertos", "El procés té massa fitxers oberts",
        "For mange åbne filer", "For mange åpne filer", "För många öppna filer", "Liian monta avointa tiedostoa",
        "Muitos arquivos abertos", "Per daug atvertų failų", "Preveč odpretih datotek", "Previše otvorenih datoteka",
        "Priveľa otvorených súborov", "Překročen limit počtu otevřených souborů", "Quá nhiều tập tin đang mở",
        "Te veel open bestanden", "Terlalu banyak berkas terbuka", "Tro da malfermaj dosieroj", "Trop de fichiers ouverts",
        "Troppi file aperti", "Túl sok nyitott fájl", "Za dużo otwartych plików", "Zu viele offene Dateien",
        "Çok fazla açık dosya var", "Υπερβολικά πολλά ανοικτά αρχεία", "Забагато відкритих файлів",
        "Превише отворених датотека", "Слишком много открытых файлов", "Твърде много отворени файлове",
        "ファイルを開きすぎです", "打开的文件过多", "開啟太多檔案", "열린 파일이 너무 많음",
    ),
    "No buffer space available": (
        "Aucun espace tampon disponible", "Brak miejsca w buforze", "G/Ç önbelleklerinin hepsi kullanımda",
        "Geen bufferruimte meer beschikbaar", "Ikke mer buffer-plass tilgjengelig", "Ikke mere buffer-plads tilgængelig",
        "Ingen buffertplats tillgänglig", "Kein Hauptspeicher für den Puffer verfügbar", "Không có vùng đệm sẵn sàng",
        "Mankas sufiĉa memoro por bufroj", "Nem érhető el pufferterület", "Nema dovoljno prostora u međuspremniku",
        "Nessuno spazio di buffer disponibile", "Nie je možné prideliť pamäť pre V/V operácie",
        "No hi ha memòria intermèdia disponible", "No queda espacio para memoria intermedia",
        "Non hai espacio dispoñible no buffer", "Não há espaço de buffer disponível", "Nėra vietos buferyje",
        "Pro vyrovnávací paměť není volné místo", "Prostor za medpomnilnik ni na voljo", "Puskuritilaa ei ole vapaana",
        "Sem espaço disponível no buffer", "Tidak ada ruang penyangga yang tersedia",
        "Δεν υπάρχει διαθέσιμος χώρος ενταμίευσης", "Недостаточно буферного пространства",
        "Нема доступног простора међумеморије", "Няма свободно място за буфер", "У буфері не залишилося місця",
        "利用可能な空きバッファがありません", "沒有可用的緩衝空間了", "没有可用的缓冲区空间", "사용 가능한 버퍼 공간이 없음",
    ),
    "Cannot allocate memory": (
        "Bellek ayrılamadı", "Impossibile allocare memoria", "Impossible d'allouer de la mémoire", "Impossível alocar memória",
        "Kan ikke tildele hukommelse", "Kan ikke tildele minne", "Kan inte allokera minne", "Không thể cấp phát bộ nhớ",
        "Mankas sufiĉa memoro", "Muistin varaaminen ei onnistu", "Ne peut allouer de la mémoire", "Nelze alokovat paměť",
        "Nem foglalható memória", "Nema dovoljno memorije", "Nepavyko išskirti atminties",
        "Nicht genügend Hauptspeicher verfügbar", "Nie je možné prideliť pamäť", "Nie można przydzielić pamięci",
        "No se pudo asignar memoria", "No s’ha pogut reservar memòria", "Non se pode reservar memoria",
        "Não foi possível alocar memória", "Onvoldoende geheugen beschikbaar", "Pomnilnika ni mogoče dodeliti",
        "Tidak dapat mengalokasikan memori", "Δεν είναι δυνατό να δεσμευτεί μνήμη", "Не вдалося розподілити пам’ять",
        "Не могу да доделим меморију", "Не може да се задели памет", "Невозможно выделить память",
        "немагчыма разьмеркаваць памяць", "メモリを確保できません", "无法分配内存", "無法配置記憶體",
        "메모리를 할당할 수 없습니다",
    ),
    "Resource temporarily unavailable": (
        "Die Ressource ist zur Zeit nicht verfügbar", "El recurs no es troba disponible temporalment",
        "Erőforrás átmenetileg nem érhető el", "Hulpbron is tijdelijk onbeschikbaar", "Prostředek je dočasně nepřístupný",
        "Recurso no disponible temporalmente", "Recurso non dispoñible temporalmente", "Recurso temporariamente indisponível",
        "Ressource temporairement non disponible", "Ressursen midlertidig utilgjengelig", "Resurs je privremeno nedostupni",
        "Resursas laikinai neprieinamas", "Resursen midlertidig utilgængelig", "Resursen tillfälligt otillgänglig",
        "Resurssi ei tilapäisesti ole käytettävissä", "Risorsa temporaneamente non disponibile",
        "Risurco dumtempe ne disponeblas", "Sumber daya sementara tidak tersedia", "Tài nguyên tạm thời không sẵn sàng",
        "Vir začasno ni na razpolago", "Zasoby chwilowo niedostępne", "Zdroj je dočasne neprístupný",
        "Özkaynak geçici olarak kullanılamaz durumda", "Ο πόρος είναι προσωρινά μη διαθέσιμος", "Временно недостъпен ресурс",
        "Извориште је тренутно недоступно", "Ресурс временно недоступен", "Ресурс тимчасово недоступний",
        "リソースが一時的に利用できません", "資源暫時無法取得", "资源暂时不可用", "자원이 일시적으로 사용 불가능함",
    ),
    "No space left on device": (
        "Aucun espace disponible sur le périphérique", "Auf dem Gerät ist kein Speicherplatz mehr verfügbar",
        "Aygıt üzerinde boş yer yok", "Brak miejsca na urządzeniu", "Enheten är full", "Geen ruimte meer over op apparaat",
        "Ikke mer plass på enheten", "Ikke mere plads på enheden", "Không có đủ chỗ trống trên thiết bị",
        "Laitteella ei ole tilaa jäljellä", "Na napravi ni več prostora", "Na zariadení už nie je žiadne miesto",
        "Na zařízení není volné místo", "Ne haviĝas plu da spaco sur aparato", "Nema više prostora na uređaju",
        "Nincs több hely a lemezen", "No queda espacio en el dispositivo", "No resta espai al dispositiu",
        "Non hai espacio libre no dispositivo", "Não há espaço disponível no dispositivo", "Sem espaço livre no dispositivo",
        "Spazio esaurito sul device", "Tidak ruang lagi diperangkat", "Įrenginyje neliko vietos",
        "Δεν έμεινε καθόλου χώρος στη συσκευή", "На устройстве не осталось свободного места", "Недостатньо місця на пристрої",
        "Није преостало простора на уређају", "Няма месца на прыладзе", "Няма свободно място на устройството",
        "デバイスに空き領域がありません", "裝置上已無多餘空間", "设备上没有空间", "장치에 남은 공간이 없음",
    ),
    "Cannot assign requested address": (
        "Die angeforderte Adresse kann nicht zugewiesen werden", "Impossibile assegnare l'indirizzo richiesto",
        "Impossível atribuir o endereço pedido", "Kan ikke benytte den ønskede adressen",
        "Kan ikke tildele den ønskede adresse", "Kan inte tilldela begärd adress", "Kan verzochte adres niet toewijzen",
        "Không thể gán địa chỉ đã yêu cầu", "Ne eblas asigni petatan adreson", "Ne peut attribuer l'adresse demandée",
        "Nem sikerült a kért címet hozzárendelni", "Nepavyko priskirti prašomo adreso", "Nie można przypisać żądanego adresu",
        "Nije moguće dodijeliti zatraženu adresu", "No se puede asignar la dirección solicitada",
        "No s’ha pogut assignar l’adreça sol·licitada", "Non se pode asigna-lo enderezo pedido",
        "Não foi possível acessar o endereço requisitado", "Požadovanou adresu nelze přiřadit",
        "Priradenie požadovanej adresy nie je možné", "Pyydettyä osoitetta ei voi asettaa",
        "Tidak dapat menempatkan permintaan alamat", "Zahtevanega naslova ni mogoče dodeliti", "İstenen adres bulunamıyor",
        "Δεν είναι δυνατή η εκχώρηση της ζητηθήσας διεύθυνσης", "Не вдалося призначити вказану адресу",
        "Не могу да доделим захтевану адресу", "Невозможно назначить запрошенный адрес", "Недостъпен адрес на гнездо (socket)",
        "无法指定被请求的地址", "無法指定所需的位址", "要求アドレスに割り当てられません", "요청한 주소를 배정할 수 없습니다",
    ),
    "Operation not permitted": (
        "A művelet nem engedélyezett", "Actie is niet toegestaan", "Die Operation ist nicht erlaubt",
        "L’operació no és permesa", "Operace není povolena", "Operacija neleidžiama", "Operacija ni dovoljena",
        "Operacija nije dopuštena", "Operacio ne permesatas", "Operación no permitida", "Operación non permitida",
        "Operacja niedozwolona", "Operasi tidak diijinkan", "Operasjonen er ikke tillatt", "Operationen er ikke tilladt",
        "Operationen inte tillåten", "Operazione non permessa", "Operação não permitida", "Operácia nie je povolená",
        "Opération non permise", "Thao tác không được phép", "Toiminto ei ole sallittu", "İşleme izin verilmedi",
        "Η λειτουργία δεν επιτρέπεται", "Действието не е позволено", "Дію заборонено", "Операция не позволена",
        "Радња није допуштена", "дзеяньне не дазволена", "不允许的操作", "此項操作並不被允許", "許可されていない操作です",
        "명령을 허용하지 않음",
    ),
    "Segmentation fault": (
        "Adres-eraro", "Chyba segmentácie", "Erreur de segmentation", "Errore di segmentazione", "Falha de segmentação",
        "Fallo de segmento", "Falta de segmentação", "Kerusakan segmentasi", "Lỗi phân đoạn", "Minnesegmentsfeil",
        "Muistialueen ylitys", "Napaka segmentacije", "Naruszenie ochrony pamięci", "Neoprávněný přístup do paměti (SIGSEGV)",
        "Parçalama arızası", "Segmentacijska greška", "Segmentatiefout", "Segmentavimo klaida", "Segmenteringsfel",
        "Segmentfejl", "Speicherzugriffsfehler", "Szegmentálási hiba", "Violació de segment", "Violación de segmento",
        "Σφάλμα κατάτμησης (segmentation fault)", "Збой сэгмэнтацыі",
        "Неуспех сегментације", "Ошибка сегментирования", "Помилка адресування", "段错误", "程式記憶體區段錯誤",
        "세그멘테이션 오류",
    ),
    "Bus error": (
        "Bus-Zugriffsfehler", "Bus-eraro", "Busfejl", "Busfout", "Bussfeil", "Bussfel", "Busz hiba", "Błąd szyny",
        "Chyba na sběrnici (neplatná adresa) (SIGBUS)", "Chyba na zbernici", "Erreur du bus", "Erro de bus",
        "Erro no barramento", "Erro no bus de datos", "Error de bus", "Error del bus", "Errore di bus", "Lỗi bus",
        "Magistralės klaida", "Napaka vodila", "Sabirnička greška", "Veri yolu hatası", "Väylävirhe", "Σφάλμα στον δίαυλο(bus)",
        "Грешка на адресната шина", "Грешка сабирнице", "Ошибка шины", "Памылка шыны", "Помилка каналу обміну даними",
        "バスエラー", "匯流排錯誤", "总线错误", "버스 오류",
    ),
    "Illegal instruction": (
        "Błędna instrukcja", "Chỉ lệnh không hợp lệ", "Instrucción ilegal", "Instrucción non permitida",
        "Instruction non permise", "Instruksi tidak legal", "Instrução ilegal", "Istruzione non consentita",
        "La instrucció no és permesa", "Miskomando", "Nedovolená instrukce (SIGILL)", "Nedovoljen ukaz",
        "Nepropisna instrukcija", "Neprípustná inštrukcia", "Netaisyklinga instrukcija", "Ongeldige instructie",
        "Otillåten instruktion", "Ulovlig instruksjon (SIGILL)", "Ulovlig instruktion (SIGILL)", "Ungültiger Maschinenbefehl",
        "Virheellinen käsky", "Yönerge kuraldışı", "Érvénytelen utasítás", "Ακατάλληλη εντολή", "Недапушчальнае прадпісаньне",
        "Недопустимая инструкция", "Незаконна инструкция", "Неисправна инструкција", "Помилкова інструкція", "無效指令",
        "非法指令", "명령어가 잘못됨",
    ),
    "Aborted": (
        "Abandon", "Abgebrochen", "Abortado", "Abortita", "Afbrudt (SIGABRT)", "Afgebroken", "Annullato", "Avbruten (SIGABRT)",
        "Avbrutt (SIGABRT)", "Avortat", "Bị hủy bỏ", "Dibatalkan", "Félbeszakítva", "Keskeytetty",
        "Neúspěšně ukončen (SIGABRT)", "Nutraukta (aborted)", "Prekid", "Prekinjen", "Przerwane", "Zrušené", "İptal edildi",
        "Ακυρώθηκε", "Аварийный останов", "Перервано", "Прекинуто", "Прекъснат", "已放弃", "중지됨",
    ),
    "Killed": (
        "Buĉita", "Bị buộc kết thúc", "Drept", "Dræbt", "Dödad", "Getötet", "Geëlimineerd", "Kilőve", "Matado", "Matat",
        "Morto", "Nutraukta (killed)", "Pobit", "Processus arrêté", "Süreç durduruldu", "Tapettu", "Terbunuh",
        "Terminado (killed)", "Ubijen", "Ucciso", "Unicestwiony", "Zabit (SIGKILL)", "Zabitý", "Σκοτώθηκε",
        "Безусловно прекъснат", "Вбито", "Забіты", "Убито", "Убијен", "已杀死", "強制終了", "強制結束", "죽었음",
    ),
}
# fmt: on


@lru_cache(maxsize=8)  # each runbook that is asked routes the same text
def in_english(text: str) -> str:
    """Return the text with each whole message of another language in the C library's English words."""
    for english, translations in MESSAGES.items():
        for message in translations:
            if message in text:
                text = _whole(message).sub(english, text)
    return text


@lru_cache(maxsize=64)
def _whole(message: str) -> re.Pattern[str]:
    """Match the message where no letter goes on; scripts without spaces have no such edge."""
    is_spaced = ord(max(message)) < 0x2E80
    return re.compile(rf"(?<!\w){re.escape(message)}(?!\w)" if is_spaced else re.escape(message))
